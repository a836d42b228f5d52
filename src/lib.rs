//! tallow scores tables with trained models, offline. Give it Parquet or CSV; it writes predictions
//! and a run report.
//!
//! # The flow
//!
//! A row enters at [`table`], is bound by [`contract`], becomes numbers in [`feature`], a score in
//! [`model`], an answer in [`outcome`], and leaves through [`table`] again; [`pipeline`] moves it;
//! [`report`] watches it pass. [`cli`] turns arguments into a [`request`], [`plan`] turns the
//! request into a plan, and [`run`] carries the plan out; [`cli`] turns the result into an exit
//! code.
//!
//! | room | answers | main type |
//! |---|---|---|
//! | [`predictor`] | how does a Rust program score rows in memory? | [`Predictor`] |
//! | [`cli`] | what did the user type, and what do they see? | `cli::args::Cli`, `cli::console::Console` |
//! | [`request`] | what was asked for? | [`request::Request`] |
//! | [`run`] | how does a run go, from its first step to its last? | [`run::score::score`], [`run::events::Events`], `run::destination::Destination` |
//! | [`plan`] | what exactly will be done? | [`plan::Plan`] |
//! | [`table`] | how do rows come in and go out? | [`table::TableFile`], [`table::Sink`], [`table::dataset::Dataset`] |
//! | [`contract`] | what does a model need of a table, and does this table have it? | [`contract::Contract`], [`contract::binding::BoundInput`] |
//! | [`feature`] | which numbers does the model read? | [`feature::FeatureBlock`], [`feature::encode::Encoder`] |
//! | [`mod@format`] | which model does a file hold? | [`format::Importer`], [`format::IMPORTERS`] |
//! | [`model`] | which score do these numbers give? | [`model::TrainedModel`], [`model::NumericModel`], [`model::ColumnModel`] |
//! | [`linear`], [`forest`], [`network`] | the families of models for rows of numbers | [`linear::Linear`], [`forest::Forest`], [`network::Network`] |
//! | [`text`] | text models: encoders and the forward passes under them | [`text::encoder::TextModel`] |
//! | [`graph`] | graphs of operators: `op` runs them, `pass` rewrites them before | [`graph::Graph`] |
//! | [`kernel`] | what runs on the widest vectors of the processor: products, convolutions, norms, counts, searches | [`kernel::product::Dense`] |
//! | [`outcome`] | what does the score mean? | [`outcome::Outcome`] |
//! | [`guide`] | what does the manual say? | [`guide::Topic`] |
//! | [`package`] | what does a model's manifest say? | [`package::Package`] |
//! | [`registry`] | which version of a model does a name mean? | [`registry::Registry`] |
//! | [`query`] | what does an expression of SQL give for a row? | [`query::Query`] |
//! | [`pipeline`] | how do many rows pass at once, in order, in bounded memory? | [`pipeline::Job`], `pipeline::arm`, `pipeline::challenger`, `pipeline::observer` |
//! | [`output`] | how do results become files that last? | [`output::dataset::DatasetOutput`], [`output::file::FileOutput`] |
//! | [`monitor`] | what is learned of rows while they pass, and once labels are known? | [`monitor::scores::ScoreObserver`], [`monitor::profile::Profile`], [`monitor::evaluate::Evaluation`] |
//! | [`statistics`] | how are values summed up, whatever their order? | [`statistics::distribution::Distribution`] |
//! | [`report`] | what happened? | [`report::Fact`] |
//! | [`process`] | what did the process cost, and how is it set up? | |
//! | [`memory`] | how much may others make us hold? | [`memory::Pool`], [`memory::Reservation`] |
//! | [`storage`] | how do files appear whole or not at all? | [`storage::Location`], [`storage::Store`], [`storage::PendingFile`] |
//! | [`digest`] | how is a digest written? | |
//! | [`background`] | what is computed while something else is? | |
//! | [`interrupt`] | was the process asked to stop? | [`interrupt::Interrupt`] |
//! | [`timestamp`] | which time does a string mean? | |
//! | [`count`] | how is a count of things written? | |
//! | [`digits`] | which digits give a float back? | |
//! | [`escape`] | how is text from data shown safely? | |
//! | [`panics`] | how does a panic become an error? | |
//! | [`error`] | what went wrong, where, and what now? | [`error::Error`] |
//!
//! # Invariants
//!
//! - Rows in = scored + rejected + filtered, per file and in total; a run whose ledger does not
//!   balance fails.
//! - The output's bytes depend on input, model and options, never on threads, batch size or time.
//! - A score does not depend on the rows alongside it: alone and in any batch it has the same bits
//!   (on a CUDA device, all but the last digits).
//! - An output appears under its name only when it is whole.
//! - Nothing panics on any input; nothing but `storage` touches the file system.
//!
//! # Glossary
//!
//! | word | meaning |
//! |---|---|
//! | batch | rows as Arrow's `RecordBatch` |
//! | row group | rows that a Parquet file stores together |
//! | portion | rows of one input file that one worker decodes and scores |
//! | block | rows as the numbers that a model reads, column after column |
//! | margin | what a model returns for a row, before any link |
//! | outcome | what margins mean: a link, from margin to score, and a task |
//! | task | which columns come of the scores: labels, probabilities, numbers |
//! | part | input rows whose results are stored together; a run resumes by parts |
//! | segment | input rows from one position on, cut into parts |
//! | shard | one of several runs over disjoint rows, whose profiles are merged |
//! | arm | a model of a run, with its encoder and outcome; several in an A/B test |
//! | challenger | a model that scores the same rows as the run's own, into files of its own |
//! | observer | what is computed of each portion on a worker; its partial results are merged in order |
//! | guard | a limit on inputs or results that stops a run before it publishes |
//! | gate | a condition on facts of a report; an output that does not meet it is withheld |
//! | target | where the results of a run go, as the plan states it: path, format, parts |
//! | destination | what takes the results of a run: begin, write, finish, publish or withhold |
//!
//! # Seams
//!
//! Arrow's `RecordBatch` is the currency of `table`, `contract` and `pipeline`; `FeatureBlock`
//! after it; plain slices of scores after that. sqlparser stays in `query`, candle in
//! `network`, `text::encoder` and the builder of `text::transformer`, gemm in `graph`;
//! `kernel::product` multiplies by matrices that never change, `kernel::convolution` slides filters
//! over images. The library never prints, exits or reads the environment; `cli` does. Two
//! exceptions: for an output `-`, `storage` writes predictions to standard output and spools them
//! in `$TMPDIR`; `process` sets variables that limit the thread pools of libraries, as the first
//! step of `main`.
//!
//! # Add a format of models in three steps
//!
//! 1. `format/<name>.rs`: a faithful struct of the file, then its translation to a family;
//!    implement [`format::FileImporter`], or [`format::Importer`] for directories.
//! 2. Add it to [`format::IMPORTERS`]; help, detection and the completeness tests iterate
//!    that list.
//! 3. Golden cases in `data/golden/<name>_<case>/`, made by the original library with a script that
//!    is kept.

// The rooms from the top down: a room imports only from rooms below it, which `tests/it/arrows.rs`
// checks against the order of this list. Blank lines keep rustfmt from sorting it.

pub mod cli;

pub mod predictor;

pub mod run;

pub mod plan;

pub mod registry;

pub mod request;

pub mod output;

pub mod report;

pub mod monitor;

pub mod pipeline;

pub mod package;

pub mod format;

pub mod text;

pub mod graph;

pub mod network;

pub mod forest;

pub mod linear;

pub mod model;

pub mod outcome;

pub mod feature;

pub mod contract;

pub mod query;

pub mod statistics;

pub mod table;

pub mod kernel;

pub mod memory;

pub mod process;

pub mod storage;

pub mod guide;

pub mod digest;
pub mod digits;

pub mod timestamp;

pub mod background;

pub mod interrupt;

pub mod count;

pub mod escape;

pub mod panics;

pub mod error;

pub use predictor::Predictor;
