//! Scalers that do more than divide: quantiles, powers, bins, norms.
//!
//! Sources: `sklearn/preprocessing/_data.py` and `_discretization.py` of 0.24 to 1.9.

use super::affine::{scaled, unscaled};
use super::column::{Column, Step};
use super::components::at_least;
use super::formula::{Formula, interpolated};
use super::function::normal_share;
use super::inputs::Inputs;
use super::object::{Object, by_column, reals};
use super::steps::bounded;
use crate::error::Result;

/// How close to an end a value counts as beyond it.
const BOUNDS_THRESHOLD: f64 = 1e-7;

/// `Normalizer`: each row divided by its norm; rows of zeros stay.
pub(super) fn normalized(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let norm: fn(&[f64]) -> f64 = match object.text("norm") {
        "l1" => |values| values.iter().map(|value| value.abs()).sum(),
        "l2" => |values| values.iter().map(|value| value * value).sum::<f64>().sqrt(),
        "max" => |values| values.iter().fold(0.0, |most, value| most.max(value.abs())),
        other => return Err(object.refuse(&format!("the norm `{other}` is not known"))),
    };
    let width = columns.len();
    let formula = Formula::new("pipeline", width, 0, move |values, output| {
        let norm = norm(values);
        let norm = if norm == 0.0 { 1.0 } else { norm };
        for (to, value) in output.iter_mut().zip(values) {
            *to = value / norm;
        }
    });
    Ok(inputs.compute(columns, formula))
}

/// `KBinsDiscretizer`.
pub(super) fn binned(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let edges = object.list("bin_edges_")?;
    if edges.len() != columns.len() {
        return Err(object.refuse("it has bins of more or fewer columns than it is given"));
    }
    inputs.reject_missing(&columns);
    let is_ordinal = object.text("encode") == "ordinal";
    let mut made = Vec::new();
    for (column, id) in columns.into_iter().zip(edges) {
        let edges = reals(object.arena, *id).filter(|edges| edges.len() >= 2);
        let edges = edges.ok_or_else(|| object.refuse("its bins have no edges"))?;
        let inner: Vec<f64> = edges[1..edges.len() - 1].to_vec();
        let count = inner.len() + 1;
        let column = column.then([Step::mapping(move |value| {
            if value.is_nan() {
                value
            } else {
                inner.partition_point(|edge| *edge <= value) as f64
            }
        })]);
        if is_ordinal {
            made.push(column);
        } else {
            let bins = (0..count).map(|bin| column.clone().then([Step::Equals(bin as f64)]));
            made.extend(bins);
        }
    }
    bounded(object, made)
}

/// `QuantileTransformer`.
pub(super) fn quantiles(object: &Object, columns: Vec<Column>) -> Result<Vec<Column>> {
    let quantiles = object.matrix("quantiles_")?;
    let references = object.reals("references_")?;
    if quantiles.columns != columns.len()
        || quantiles.rows != references.len()
        || references.is_empty()
    {
        return Err(object.refuse("its quantiles do not fit its columns"));
    }
    let is_normal = object.text("output_distribution") == "normal";
    let change = |(index, column): (usize, Column)| {
        let own: Vec<f64> = (0..quantiles.rows)
            .map(|row| quantiles.values[row * quantiles.columns + index])
            .collect();
        let transposed: Vec<f64> = own.iter().rev().map(|value| -value).collect();
        let references = references.clone();
        let mirrored: Vec<f64> = references.iter().rev().map(|value| -value).collect();
        column.then([Step::mapping(move |value| {
            if value.is_nan() {
                return value;
            }
            let (low, high) = (own[0], own[own.len() - 1]);
            let (below, above) = if is_normal {
                (
                    value - BOUNDS_THRESHOLD < low,
                    value + BOUNDS_THRESHOLD > high,
                )
            } else {
                (value == low, value == high)
            };
            let mut found = 0.5
                * (interpolated(value, &own, &references)
                    - interpolated(-value, &transposed, &mirrored));
            if above {
                found = 1.0;
            }
            if below {
                found = 0.0;
            }
            if is_normal { normal(found) } else { found }
        })])
    };
    Ok(columns.into_iter().enumerate().map(change).collect())
}

/// exp(−2).
const EDGE: f64 = 0.135_335_283_236_612_7;

/// The quantile of the standard normal distribution, between those that the transformer clips to.
fn normal(probability: f64) -> f64 {
    let least = BOUNDS_THRESHOLD - f64::EPSILON;
    let low = inverse_normal(least);
    let high = inverse_normal(1.0 - least);
    inverse_normal(probability).clamp(low, high)
}

/// The quantile function of the standard normal distribution: Cephes' `ndtri`, which scipy uses.
pub(super) fn inverse_normal(probability: f64) -> f64 {
    const NEAR: [f64; 5] = [
        -5.996_335_010_141_079e1,
        9.800_107_541_859_997e1,
        -5.667_628_574_690_703e1,
        1.393_126_093_872_794_8e1,
        -1.239_165_838_673_812_6,
    ];
    const NEAR_BELOW: [f64; 8] = [
        1.954_488_583_381_417_6,
        4.676_279_128_988_815,
        8.636_024_213_908_905e1,
        -2.254_626_878_541_193_6e2,
        2.002_602_123_800_606_6e2,
        -8.203_722_561_683_334e1,
        1.590_562_251_262_117e1,
        -1.183_316_211_213_300_3,
    ];
    const MIDDLE: [f64; 9] = [
        4.055_448_923_059_625,
        3.152_510_945_998_938_6e1,
        5.716_281_922_464_213e1,
        4.408_050_738_932_008e1,
        1.468_495_619_288_580_2e1,
        2.186_633_068_507_902_5,
        -1.402_560_791_713_545e-1,
        -3.504_246_268_278_482e-2,
        -8.574_567_851_546_854e-4,
    ];
    const MIDDLE_BELOW: [f64; 8] = [
        1.577_998_832_564_667_6e1,
        4.539_076_351_288_792e1,
        4.131_720_382_546_72e1,
        1.504_253_856_929_075e1,
        2.504_649_462_083_094,
        -1.421_829_228_547_877_9e-1,
        -3.808_064_076_915_783e-2,
        -9.332_594_808_954_575e-4,
    ];
    const FAR: [f64; 9] = [
        3.237_748_917_769_46,
        6.915_228_890_689_842,
        3.938_810_252_924_744_4,
        1.333_034_608_158_075_5,
        2.014_853_895_491_790_8e-1,
        1.237_166_348_178_200_3e-2,
        3.015_815_535_082_354e-4,
        2.658_069_746_867_375_5e-6,
        6.239_745_391_849_833e-9,
    ];
    const FAR_BELOW: [f64; 8] = [
        6.024_270_393_647_42,
        3.679_835_638_561_608_6,
        1.377_020_994_890_813_2,
        2.162_369_935_944_966_3e-1,
        1.342_040_060_885_431_8e-2,
        3.280_144_646_821_277_5e-4,
        2.892_478_647_453_806_7e-6,
        6.790_194_080_099_813e-9,
    ];
    let polynomial =
        |start: f64, terms: &[f64], x: f64| terms.iter().fold(start, |sum, term| sum * x + term);
    if probability <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if probability >= 1.0 {
        return f64::INFINITY;
    }
    let is_upper = probability > 1.0 - EDGE;
    let tail = if is_upper {
        1.0 - probability
    } else {
        probability
    };
    if tail > EDGE {
        let centred = tail - 0.5;
        let square = centred * centred;
        let ratio = square * polynomial(0.0, &NEAR, square) / polynomial(1.0, &NEAR_BELOW, square);
        return (centred + centred * ratio) * (2.0 * std::f64::consts::PI).sqrt();
    }
    let root = (-2.0 * tail.ln()).sqrt();
    let start = root - root.ln() / root;
    let inverse = 1.0 / root;
    let ratio = if root < 8.0 {
        inverse * polynomial(0.0, &MIDDLE, inverse) / polynomial(1.0, &MIDDLE_BELOW, inverse)
    } else {
        inverse * polynomial(0.0, &FAR, inverse) / polynomial(1.0, &FAR_BELOW, inverse)
    };
    let found = start - ratio;
    if is_upper { found } else { -found }
}

/// The columns that a `QuantileTransformer` would make these of.
pub(super) fn quantile_inverse(object: &Object, columns: Vec<Column>) -> Result<Vec<Column>> {
    let is_normal = object.text("output_distribution") == "normal";
    let quantiles = object.matrix("quantiles_")?;
    let references = object.reals("references_")?;
    if quantiles.columns != columns.len()
        || quantiles.rows != references.len()
        || references.is_empty()
    {
        return Err(object.refuse("its quantiles do not fit its columns"));
    }
    let change = |(index, column): (usize, Column)| {
        let own: Vec<f64> = (0..quantiles.rows)
            .map(|row| quantiles.values[row * quantiles.columns + index])
            .collect();
        let references = references.clone();
        column.then([Step::mapping(move |value| {
            if value.is_nan() {
                return value;
            }
            let share = if is_normal {
                normal_share(value)
            } else {
                value
            };
            if is_normal && share - BOUNDS_THRESHOLD < 0.0 {
                own[0]
            } else if is_normal && share + BOUNDS_THRESHOLD > 1.0 {
                own[own.len() - 1]
            } else {
                interpolated(share, &references, &own)
            }
        })])
    };
    Ok(columns.into_iter().enumerate().map(change).collect())
}

/// x^λ scaled so that it is smooth in λ, of both signs: Yeo and Johnson.
fn yeo_johnson(value: f64, power: f64) -> f64 {
    if value >= 0.0 {
        if power.abs() < f64::EPSILON {
            value.ln_1p()
        } else {
            ((power * value.ln_1p()).exp_m1()) / power
        }
    } else if (power - 2.0).abs() > f64::EPSILON {
        -(((2.0 - power) * (-value).ln_1p()).exp_m1()) / (2.0 - power)
    } else {
        -(-value).ln_1p()
    }
}

fn yeo_johnson_inverse(value: f64, power: f64) -> f64 {
    if value >= 0.0 {
        if power.abs() < f64::EPSILON {
            value.exp() - 1.0
        } else {
            (value * power + 1.0).powf(1.0 / power) - 1.0
        }
    } else if (power - 2.0).abs() > f64::EPSILON {
        1.0 - (-(2.0 - power) * value + 1.0).powf(1.0 / (2.0 - power))
    } else {
        1.0 - (-value).exp()
    }
}

fn box_cox(value: f64, power: f64) -> f64 {
    if power.abs() < 1e-19 {
        value.ln()
    } else {
        (power * value.ln()).exp_m1() / power
    }
}

fn box_cox_inverse(value: f64, power: f64) -> f64 {
    if power == 0.0 {
        value.exp()
    } else {
        ((power * value).ln_1p() / power).exp()
    }
}

/// A function of a number and a power.
type Power = fn(f64, f64) -> f64;

/// The function of a `PowerTransformer` and its powers.
fn powers(object: &Object, count: usize, functions: [Power; 2]) -> Result<(Vec<f64>, Power)> {
    let powers = by_column(object, "lambdas_", count)?.ok_or_else(|| object.unfitted())?;
    match object.text("method") {
        "yeo-johnson" => Ok((powers, functions[0])),
        "box-cox" => Ok((powers, functions[1])),
        other => Err(object.refuse(&format!("the method `{other}` is not known"))),
    }
}

fn powered(columns: Vec<Column>, powers: Vec<f64>, function: fn(f64, f64) -> f64) -> Vec<Column> {
    let change = |(column, power): (Column, f64)| {
        column.then([Step::mapping(move |value| {
            if value.is_nan() {
                value
            } else {
                function(value, power)
            }
        })])
    };
    columns.into_iter().zip(powers).map(change).collect()
}

/// `PowerTransformer`.
pub(super) fn power(object: &Object, columns: Vec<Column>) -> Result<Vec<Column>> {
    let (powers, function) = powers(object, columns.len(), [yeo_johnson, box_cox])?;
    let columns = if object.text("method") == "box-cox" {
        at_least(columns, 0.0, true)
    } else {
        columns
    };
    let made = powered(columns, powers, function);
    if !object.flag("standardize") {
        return Ok(made);
    }
    scaled(&object.attribute("_scaler")?, made)
}

/// The columns that a `PowerTransformer` would make these of.
pub(super) fn power_inverse(object: &Object, columns: Vec<Column>) -> Result<Vec<Column>> {
    let count = columns.len();
    let functions = [yeo_johnson_inverse, box_cox_inverse];
    let (powers, function) = powers(object, count, functions)?;
    let columns = if object.flag("standardize") {
        unscaled(&object.attribute("_scaler")?, columns)?
    } else {
        columns
    };
    Ok(powered(columns, powers, function))
}
