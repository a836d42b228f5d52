//! stub
use crate::error::Result;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
/// s
pub struct CsvSink<W: std::io::Write + Send>(W);
impl<W: std::io::Write + Send> CsvSink<W> {
    /// n
    /// # Errors
    /// e
    pub fn new(w: W, _s: SchemaRef) -> Result<Self> {
        Ok(Self(w))
    }
}
impl<W: std::io::Write + Send> super::Sink for CsvSink<W> {
    fn write(&mut self, _b: &RecordBatch) -> Result<()> {
        Ok(())
    }
    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
