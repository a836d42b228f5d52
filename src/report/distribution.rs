//! stub
/// d
#[derive(Debug, Default, Clone)]
pub struct Distribution {}
