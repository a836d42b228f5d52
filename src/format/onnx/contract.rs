//! From a graph's declared inputs to the columns of a table.

use super::missing::Missing;
use super::port::{Port, PortKind};
use super::rows::InputRows;
use super::schema::Model as ModelProto;
use crate::contract::binding::first_duplicate;
use crate::contract::renaming::Renaming;
use crate::contract::{
    ColumnType, Contract, Input, InputKind, NativeElement, NativeType, Policy, RowShape, Width,
};
use crate::count::counted;
use crate::error::{Error, Result};
use crate::format::{GraphFeatures, ImportOptions};
use crate::graph::ElementType;
use crate::graph::feed::Feed;
use crate::table::spelling::did_you_mean;

/// Features of one model; binding names each of them.
const FEATURE_LIMIT: usize = 1 << 20;

/// What a graph needs of a table.
pub(super) struct Inputs {
    pub(super) contract: Contract,
    pub(super) feeds: Vec<Feed>,
    /// The number of rows of a graph with a fixed batch size.
    pub(super) batch: Option<usize>,
}

/// One input is a matrix whose columns are features, named by `feature_names` in the metadata, or a
/// column of lists; of several inputs each is a column. Where the file leaves the number of
/// features open it is `feature_count`, and lists may be of any length if that is open too. Inputs
/// that the user names columns for take those.
#[expect(
    clippy::too_many_lines,
    reason = "one step for each way to name columns"
)]
pub(super) fn inputs(
    model: &ModelProto,
    ports: &[Port],
    rows: &[InputRows],
    options: &ImportOptions,
) -> Result<Inputs> {
    let names = feature_names(model)?;
    check_features(ports, &options.graph_features)?;
    let (mut batch, mut vector) = (None, None);
    let (mut all, mut feeds, mut is_named) = (Vec::new(), Vec::new(), true);
    let missing = Missing::of(model);
    for (
        port,
        InputRows {
            axis: rows_axis, ..
        },
    ) in ports.iter().zip(rows)
    {
        let (element, shape) = tensor_port(port)?;
        let plain = |name: String, width: Width, rest: &[Option<usize>]| {
            input(
                name,
                element,
                width,
                rest,
                missing.is_distinguished(&port.name),
            )
        };
        if let Some(Some(rows)) = rows_axis.and_then(|axis| shape.get(axis)) {
            if batch.is_some_and(|known| known != *rows) {
                return Err(Error::contract(
                    "the inputs insist on different numbers of rows",
                ));
            }
            batch = Some(*rows);
        }
        let rest: Vec<Option<usize>> = shape
            .iter()
            .enumerate()
            .filter(|(axis, _)| Some(*axis) != *rows_axis)
            .map(|(_, length)| *length)
            .collect();
        let rows_axis = *rows_axis;
        if let Some(features) = options
            .graph_features
            .iter()
            .find(|features| features.input == port.name)
        {
            let row_shape = shape_of_columns(port, &rest, features.columns.len())?;
            all.extend(
                features
                    .columns
                    .iter()
                    .map(|name| plain(name.clone(), Width::One, &[]))
                    .collect::<Result<Vec<Input>>>()?,
            );
            feeds.push(Feed {
                element,
                row_shape,
                column_count: features.columns.len(),
                rows_axis,
            });
            continue;
        }
        if let (1, [width]) = (ports.len(), rest.as_slice())
            && (*width != Some(1) || names.as_ref().is_some_and(|names| names.len() == 1))
            && let Some(width) = width
                .or(names.as_ref().map(Vec::len))
                .or(options.feature_count)
        {
            if !(1..=FEATURE_LIMIT).contains(&width) {
                return Err(Error::contract(format!(
                    "the input `{}` has {width} features",
                    port.name
                )));
            }
            let own = match &names {
                Some(names) if names.len() == width => names.clone(),
                Some(names) => {
                    return Err(Error::contract(format!(
                        "`feature_names` of the metadata holds {} names for {width} features",
                        names.len()
                    )));
                }
                None => (0..width).map(|index| format!("f{index}")).collect(),
            };
            is_named = names.is_some();
            vector = Some(Box::new(plain(
                port.name.clone(),
                Width::Exactly(width),
                &[Some(width)],
            )?));
            all.extend(
                own.into_iter()
                    .map(|name| plain(name, Width::One, &[]))
                    .collect::<Result<Vec<Input>>>()?,
            );
            feeds.push(Feed {
                element,
                row_shape: vec![Some(width)],
                column_count: width,
                rows_axis,
            });
            continue;
        }
        if rest.contains(&Some(0)) {
            return Err(Error::contract(format!(
                "the input `{}` has an axis of no length",
                port.name
            )));
        }
        let known = rest
            .iter()
            .try_fold(1_usize, |product, length| {
                product.checked_mul(length.unwrap_or(1))
            })
            .ok_or_else(|| unknown_width(port))?;
        let width = match rest.iter().filter(|length| length.is_none()).count() {
            0 if known == 1 => Width::One,
            0 => Width::Exactly(known),
            1 => Width::Multiple(known),
            _ => return Err(unknown_width(port)),
        };
        all.push(plain(port.name.clone(), width, &rest)?);
        feeds.push(Feed {
            element,
            row_shape: rest,
            column_count: 1,
            rows_axis,
        });
    }
    Ok(Inputs {
        contract: Contract {
            inputs: all,
            named: is_named,
            vector,
            renaming: Renaming::Skl2onnx,
        },
        feeds,
        batch,
    })
}

/// Refuses columns for inputs that there are not; a single one may be a column's name that holds
/// `=`.
fn check_features(ports: &[Port], features: &[GraphFeatures]) -> Result<()> {
    if ports.len() == 1 && features.len() == 1 {
        return Ok(());
    }
    let known = |one: &&GraphFeatures| ports.iter().any(|port| port.name == one.input);
    let names = ports.iter().map(|port| port.name.as_str());
    match features.iter().find(|one| !known(one)) {
        Some(one) => Err(Error::usage(format!(
            "`--features` names `{}`, which is not an input of the graph",
            one.input
        ))
        .hint(did_you_mean(
            &one.input,
            &names,
            "`tallow inspect MODEL` lists the graph's inputs: `--features INPUT=a,b`",
        ))),
        None => match first_duplicate(features.iter().map(|one| one.input.as_str())) {
            Some(input) => Err(Error::usage(format!(
                "`--features` names the columns of the input `{input}` twice"
            ))),
            None => Ok(()),
        },
    }
}

/// The shape of a row that is made of so many columns.
fn shape_of_columns(
    port: &Port,
    rest: &[Option<usize>],
    columns: usize,
) -> Result<Vec<Option<usize>>> {
    let known = rest
        .iter()
        .try_fold(1_usize, |product, length| {
            product.checked_mul(length.unwrap_or(1))
        })
        .unwrap_or(usize::MAX);
    let open = rest.iter().filter(|length| length.is_none()).count();
    let fits = columns > 0
        && columns <= FEATURE_LIMIT
        && known > 0
        && if open == 0 {
            known == columns
        } else {
            columns.is_multiple_of(known)
        };
    if open > 1 {
        return Err(unknown_width(port));
    }
    if !fits {
        let values = if open == 0 {
            known.to_string()
        } else {
            format!("a multiple of {known}")
        };
        let message = format!(
            "`--features` gives {} for the input `{}`, which reads {values}",
            counted(columns, "column"),
            port.name
        );
        return Err(Error::contract(message)
            .hint("`tallow inspect MODEL` lists the shapes of the graph's inputs"));
    }
    Ok(rest
        .iter()
        .map(|length| Some(length.unwrap_or(columns / known)))
        .collect())
}

fn unknown_width(port: &Port) -> Error {
    Error::contract(format!(
        "the input `{}`{} does not say how many values a row has",
        port.name, port.kind
    ))
    .hint(
        "export with at most one open axis besides that of the rows: the input's other lengths \
         must be fixed",
    )
}

fn tensor_port(port: &Port) -> Result<(ElementType, Vec<Option<usize>>)> {
    match &port.kind {
        PortKind::Tensor {
            element: Some(element),
            shape: Some(shape),
        } => Ok((*element, shape.clone())),
        PortKind::Tensor {
            element: Some(element),
            shape: None,
        } => Ok((*element, vec![None, None])),
        _ => Err(Error::contract(format!(
            "the input `{}` is not a tensor of a declared type",
            port.name
        ))),
    }
}

/// Reals have NaN for a missing value, of which a graph of layers makes NaN; other types have none.
/// Where a null would not be distinguished from other values it stops the run unless the user says
/// what to read instead.
#[expect(
    clippy::unnecessary_wraps,
    reason = "one of several ways to make inputs, the others of which fail"
)]
fn input(
    name: String,
    element: ElementType,
    width: Width,
    axes: &[Option<usize>],
    is_distinguished: bool,
) -> Result<Input> {
    let element = match element {
        ElementType::Float => NativeElement::Float,
        ElementType::Float16 => NativeElement::Float16,
        ElementType::Bfloat16 => NativeElement::Bfloat16,
        ElementType::Double => NativeElement::Double,
        ElementType::Bool => NativeElement::Boolean,
        ElementType::String => NativeElement::Text,
        ElementType::Int8 => NativeElement::Integer(ColumnType::Int8),
        ElementType::Int16 => NativeElement::Integer(ColumnType::Int16),
        ElementType::Int32 => NativeElement::Integer(ColumnType::Int32),
        ElementType::Int64 => NativeElement::Integer(ColumnType::Int64),
        ElementType::Uint8 => NativeElement::Integer(ColumnType::Uint8),
        ElementType::Uint16 => NativeElement::Integer(ColumnType::Uint16),
        ElementType::Uint32 => NativeElement::Integer(ColumnType::Uint32),
        ElementType::Uint64 => NativeElement::Integer(ColumnType::Uint64),
    };
    let on_null = if element.is_real() && is_distinguished {
        Policy::Null
    } else {
        Policy::Error
    };
    let kind = InputKind::Native(NativeType {
        element,
        width,
        shape: RowShape::new(axes),
    });
    Ok(Input {
        on_null,
        on_unseen: Policy::Error,
        ..Input::of_kind(name, kind)
    })
}

/// The names that exporters write: a JSON list, or names with commas between.
fn feature_names(model: &ModelProto) -> Result<Option<Vec<String>>> {
    let Some(pair) = model
        .metadata
        .iter()
        .find(|pair| pair.key == "feature_names")
    else {
        return Ok(None);
    };
    if pair.value.trim_start().starts_with('[') {
        let names = serde_json::from_str(pair.value).map_err(|error| {
            Error::contract("`feature_names` of the metadata is not a list of texts").because(error)
        })?;
        return Ok(Some(names));
    }
    Ok(Some(
        pair.value
            .split(',')
            .map(|name| name.trim().to_owned())
            .collect(),
    ))
}
