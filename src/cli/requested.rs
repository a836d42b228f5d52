//! From what the user typed to what is asked for: clap's structs become a [`Request`].
//!
//! Owns the correspondence, field by field. It must not know what a field means.

use super::challenger_args::ChallengerArgs;
use super::key_args::keys;
use super::output_args::{GuardArgs, ObserverArgs, OutputArgs};
use super::paths::locations;
use super::quality_args::QualityArgs;
use super::rows_args::RowsArgs;
use super::score_args::ScoreArgs;
use super::text_args::TextArgs;
use super::work_args::{BindingArgs, OutcomeArgs, ResourceArgs, WorkArgs};
use crate::request::challenger::Challengers;
use crate::request::output::{Limits, Output, Telemetry};
use crate::request::rows::Rows;
use crate::request::text::TextModel;
use crate::request::work::{Binding, Prediction, Quality, Resources, Work};
use crate::request::{Request, VERSION};
use crate::storage::Location;

impl From<ScoreArgs> for Request {
    fn from(args: ScoreArgs) -> Self {
        let ScoreArgs {
            job: _,
            print_job: _,
            work,
            output,
            encryption,
            guards,
            monitoring,
            observers,
        } = args;
        Self {
            version: VERSION,
            keys: keys(work.rows.text.keys.clone(), encryption),
            work: work.into(),
            output: output.into(),
            limits: guards.into(),
            monitoring: monitoring.into(),
            telemetry: observers.into(),
        }
    }
}

impl From<WorkArgs> for Work {
    fn from(args: WorkArgs) -> Self {
        let WorkArgs {
            model,
            lookup,
            as_of,
            trust,
            inputs,
            binding,
            rows,
            quality,
            outcome,
            text,
            challengers,
            resources,
        } = args;
        Self {
            model: model.into(),
            registry: lookup.registry.map(Location::from),
            as_of,
            trust: trust.into(),
            resolved: None,
            inputs: locations(inputs),
            binding: binding.into(),
            rows: rows.into(),
            quality: quality.into(),
            outcome: outcome.into(),
            text: text.into(),
            challengers: challengers.into(),
            resources: resources.into(),
        }
    }
}

impl From<ChallengerArgs> for Challengers {
    fn from(args: ChallengerArgs) -> Self {
        let ChallengerArgs {
            challenger,
            challenger_time,
            challenger_memory,
            split,
            split_by,
            split_salt,
        } = args;
        Self {
            challenger: locations(challenger),
            challenger_time,
            challenger_memory,
            split,
            split_by,
            split_salt,
            ..Self::default()
        }
    }
}

impl From<BindingArgs> for Binding {
    fn from(args: BindingArgs) -> Self {
        let BindingArgs {
            rename,
            features,
            rows_axis,
            on_null,
            on_unseen,
            offset,
        } = args;
        Self {
            rename,
            features,
            rows_axis,
            on_null,
            on_unseen,
            offset,
        }
    }
}

impl From<QualityArgs> for Quality {
    fn from(args: QualityArgs) -> Self {
        let QualityArgs {
            rule,
            rule_examples,
            reference,
            loss_column,
        } = args;
        Self {
            rule,
            rule_examples,
            reference: reference.map(Location::from),
            loss_column,
            reference_digest: None,
            is_off: false,
        }
    }
}

impl From<RowsArgs> for Rows {
    fn from(args: RowsArgs) -> Self {
        let RowsArgs {
            filter,
            limit,
            missing,
            on_bad_file,
            any_ending,
            text,
        } = args;
        Self {
            filter,
            limit,
            missing,
            on_bad_file,
            any_ending,
            text: text.into(),
        }
    }
}

impl From<OutcomeArgs> for Prediction {
    fn from(args: OutcomeArgs) -> Self {
        let OutcomeArgs {
            passthrough,
            raw,
            threshold,
            virtual_ensembles,
            trees,
            hash_columns,
            drop_columns,
        } = args;
        Self {
            passthrough,
            raw,
            threshold,
            virtual_ensembles,
            trees,
            hash_columns,
            drop_columns,
        }
    }
}

impl From<ResourceArgs> for Resources {
    fn from(args: ResourceArgs) -> Self {
        let ResourceArgs {
            threads,
            batch_rows,
            memory,
            show_values,
        } = args;
        Self {
            threads,
            batch_rows,
            memory,
            show_values,
        }
    }
}

impl From<TextArgs> for TextModel {
    fn from(args: TextArgs) -> Self {
        let TextArgs {
            text,
            text_pair,
            task,
            prompt,
            prompt_text,
            dimensions,
            normalize,
            max_tokens,
            chunk,
            stride,
            aggregation,
            precision,
            device,
        } = args;
        Self {
            text,
            text_pair,
            task,
            prompt,
            prompt_text,
            dimensions,
            normalize,
            max_tokens,
            chunk,
            stride,
            aggregation,
            precision,
            device,
        }
    }
}

impl From<OutputArgs> for Output {
    fn from(args: OutputArgs) -> Self {
        let OutputArgs {
            output,
            overwrite,
            restart,
            output_format,
            rows_per_part,
            bytes_per_part,
            partition_by,
            report,
            rejected,
            sign_key,
            sign_certificate,
        } = args;
        Self {
            output: output.into(),
            overwrite,
            restart,
            output_format,
            rows_per_part,
            bytes_per_part,
            partition_by,
            report: report.map(Location::from),
            rejected: rejected.map(Location::from),
            sign_key: sign_key.map(Location::from),
            sign_certificate: locations(sign_certificate),
        }
    }
}

impl From<GuardArgs> for Limits {
    fn from(args: GuardArgs) -> Self {
        let GuardArgs {
            max_errors,
            max_error_rate,
            on_budget,
            min_rows,
            max_age,
            max_row_delta,
            previous_report,
            skip_code,
        } = args;
        Self {
            max_errors,
            max_error_rate,
            on_budget,
            min_rows,
            max_age,
            max_row_delta,
            previous_report: previous_report.map(Location::from),
            skip_code,
        }
    }
}

impl From<ObserverArgs> for Telemetry {
    fn from(args: ObserverArgs) -> Self {
        let ObserverArgs {
            metrics_file,
            lineage_file,
            job_name,
            price_per_hour,
        } = args;
        Self {
            metrics_file: metrics_file.map(Location::from),
            lineage_file: lineage_file.map(Location::from),
            job_name,
            price_per_hour,
        }
    }
}
