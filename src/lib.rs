//! tallow scores tables with trained models, offline: Parquet or CSV in, predictions and a report out.

pub mod contract;
pub mod error;
pub mod feature;
pub mod model;
pub mod outcome;
pub mod report;
pub mod table;
