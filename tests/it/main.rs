//! The integration tests: one binary. Read downwards, this list is the table of contents.

#![expect(clippy::unwrap_used, reason = "in a test a failure is a failure")]

// A clean room for running the program, and readers for what it writes.
mod harness;

// The ONNX project's node tests.
mod onnx_nodes;

// Every case under `data/golden`: the original libraries' own numbers.
mod golden;

// The same numbers through the library.
mod predictor;

// Vectors, labels, scores and entities of texts.
mod text_directories;
mod text_models;

// Text models with a manifest.
mod text_packages;
mod text_prompts;

// What must hold whatever the model and the data: threads, batches, order, formats change nothing.
mod laws;

// The verbs, as a user meets them: text in, text out, exit code.
mod check;
mod compare;
mod completions;
mod drift;
mod evaluate;
mod inspect;
mod privacy;
mod replay;
mod score;
mod secrets;
mod sessions;

// How delimited text is written, and which files count as inputs.
mod dialects;

// Tables through pipes.
mod streams;

// How columns meet the model: names, types, policies, expressions.
mod arrows;
mod binding;
mod boosters;
mod carried;
mod catboost;
mod extremes;
mod flags;
mod missing;

// Rows that come as one column of lists.
mod vector;

// How numbers are written, where SQL makes texts of them.
mod written;

// What users may ask of graphs.
mod graph;
mod graph_inputs;

// Other containers of models.
mod mlflow;
mod torch_files;

// Broken, mislabelled and malicious files: one message each.
mod hostile;

// Damaged Parquet files.
mod parquet;

// Runs that are stopped from outside leave nothing for long.
mod stopped;

// Data sets that are interrupted, resumed, corrected and guarded.
mod promotion;
mod recovery;

// Data sets whose runs are asked to stop at any moment.
mod killed;

// What runs watch: profiles, drift, gates.
mod watch;

// One judge of gates for every verb, and the same verdict from the same command.
mod gates;

// Models by name and by signature.
mod registry;
mod report_page;

// Models that score the same rows and can change nothing.
mod challengers;

// Rows that are split between models.
mod split;

// Packages that are made of models.
mod pack;

// The same promises at many moments and settings: kills, determinism.
mod sweeps;

// What a run shows of itself: metrics, lineage, the log, the object on standard output, on failure
// too.
mod observers;

// Conditions on rows, columns and tables.
mod rules;

// What runs take, and that they take no more than they may.
mod memory;

// Small inputs that ask for a lot of memory.
mod greedy;

// What names and labels of data may do to a terminal: nothing.
mod terminal;

// What lies where, and what lay elsewhere in earlier versions.
mod layout;

// Inputs that change while they are read.
mod changing;

// Links, pipes and files of others where a run writes.
mod intrusion;
mod job;

// How runs end, whatever ends them.
mod ends;

// Full disks, vanishing directories, restless readers.
mod disk;
mod permissions;

// What a gate withheld, until the next run.
mod withheld;

// Random tables, whose every row must be where the ledger says.
mod ledger;

// Mutated inputs of all kinds, and the generator that they come from.
mod explain;
mod fuzz;
mod mutation;

// README, the guide and help: what they say is what the program does.
mod papers;

// The house's own rules.
mod house;
