//! Transformers that make many columns of few: polynomials and splines.
//!
//! Source: `sklearn/preprocessing/_polynomial.py` (`_data.py` up to 0.24) of 0.24 to 1.9.

use super::column::{COLUMNS_LIMIT, Column};
use super::engine::Engine;
use super::formula::Formula;
use super::inputs::Inputs;
use super::object::{Object, reals};
use super::steps::bounded;
use crate::error::Result;

/// `PolynomialFeatures`: products of columns, by degree, in lexicographic order.
pub(super) fn polynomial(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let (least, most) = degrees(object)?;
    let distinct = object.flag("interaction_only");
    let mut products: Vec<Vec<usize>> = Vec::new();
    if object.flag("include_bias") {
        products.push(Vec::new());
    }
    let mut of_degree: Vec<Vec<usize>> = vec![Vec::new()];
    for degree in 1..=most {
        let mut next = Vec::new();
        for product in &of_degree {
            let first = product
                .last()
                .map_or(0, |last| last + usize::from(distinct));
            for column in first..columns.len() {
                next.push([product.as_slice(), &[column]].concat());
            }
            if next.len() > COLUMNS_LIMIT {
                return Err(object.refuse("it makes more than a million columns"));
            }
        }
        if degree >= least {
            products.extend(next.iter().cloned());
        }
        of_degree = next;
    }
    if products.len() > COLUMNS_LIMIT {
        return Err(object.refuse("it makes more than a million columns"));
    }
    let numbers = products.iter().map(Vec::len).sum();
    let formula = Formula::new(
        "pipeline",
        products.len(),
        numbers,
        move |values, output| {
            for (to, product) in output.iter_mut().zip(&products) {
                // From the last to the first, as scikit-learn builds its products.
                *to = product
                    .iter()
                    .rev()
                    .fold(1.0, |sum, column| sum * values[*column]);
            }
        },
    );
    Ok(inputs.compute(columns, formula))
}

/// The least and the largest degree.
fn degrees(object: &Object) -> Result<(usize, usize)> {
    const MOST: usize = 64;
    let pair = if object.find("_max_degree").is_some() {
        (object.real("_min_degree")?, object.real("_max_degree")?)
    } else {
        let degree = object.need("degree")?;
        match reals(object.arena, degree).as_deref() {
            Some([least, most]) => (*least, *most),
            Some([most]) => (0.0, *most),
            _ => return Err(object.refuse("its degree is not a number")),
        }
    };
    let (least, most) = (pair.0 as usize, pair.1 as usize);
    if most > MOST {
        return Err(object.refuse("its degree is above 64"));
    }
    Ok((least, most))
}

/// How a spline goes on beyond its knots.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beyond {
    Constant,
    Linear,
    Continue,
    Periodic,
}

/// The splines of one column.
struct Splines {
    knots: Vec<f64>,
    degree: usize,
    /// One row a basis function, one column a spline.
    coefficients: Vec<f64>,
    count: usize,
    beyond: Beyond,
}

impl Splines {
    /// The values of the basis functions that are not 0 at a value, from `first` on; the value may
    /// lie beyond the knots, where the outermost polynomials go on.
    fn basis(&self, value: f64, degree: usize) -> (usize, Vec<f64>) {
        let last = self.knots.len() - self.degree - 2;
        let mut at = self.degree;
        while at < last && value >= self.knots[at + 1] {
            at += 1;
        }
        let mut basis = vec![1.0];
        for order in 1..=degree {
            let mut next = vec![0.0; order + 1];
            for (index, own) in basis.iter().enumerate() {
                let (low, high) = (
                    self.knots[at + 1 + index - order],
                    self.knots[at + 1 + index],
                );
                let share = if high == low { 0.0 } else { own / (high - low) };
                next[index] += (high - value) * share;
                next[index + 1] += (value - low) * share;
            }
            basis = next;
        }
        (at - degree, basis)
    }

    fn values(&self, value: f64, output: &mut [f64]) {
        let (first, basis) = self.basis(value, self.degree);
        for (index, weight) in basis.iter().enumerate() {
            let row = &self.coefficients[(first + index) * self.count..];
            for (to, coefficient) in output.iter_mut().zip(row) {
                *to += weight * coefficient;
            }
        }
    }

    /// The slopes of all splines at a value.
    fn slopes(&self, value: f64, output: &mut [f64]) {
        if self.degree == 0 {
            return;
        }
        let (first, basis) = self.basis(value, self.degree - 1);
        for (index, weight) in basis.iter().enumerate() {
            // A basis function of a degree less, between two coefficients.
            let at = first + index;
            let span = self.knots[at + self.degree] - self.knots[at];
            let (one, other) = ((at - 1) * self.count, at * self.count);
            for (spline, to) in output.iter_mut().enumerate() {
                let difference =
                    self.coefficients[other + spline] - self.coefficients[one + spline];
                *to += weight * self.degree as f64 * difference / span;
            }
        }
    }

    fn ends(&self) -> (f64, f64) {
        let last = self.knots.len() - self.degree - 1;
        (self.knots[self.degree], self.knots[last])
    }

    fn run(&self, value: f64, output: &mut [f64]) {
        let (low, high) = self.ends();
        if value.is_nan() {
            output.fill(f64::NAN);
            return;
        }
        match self.beyond {
            Beyond::Continue => self.values(value, output),
            Beyond::Periodic => {
                let span = high - low;
                let inside = if span > 0.0 {
                    low + (value - low).rem_euclid(span)
                } else {
                    0.0
                };
                self.values(inside, output);
            }
            _ if value >= low && value <= high => self.values(value, output),
            Beyond::Constant => self.values(value.clamp(low, high), output),
            Beyond::Linear => {
                let end = value.clamp(low, high);
                let mut slopes = vec![0.0; output.len()];
                self.values(end, output);
                self.slopes(end, &mut slopes);
                for (to, slope) in output.iter_mut().zip(slopes) {
                    *to += slope * (value - end);
                }
            }
        }
    }
}

/// `SplineTransformer`.
pub(super) fn splines(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let beyond = match object.text("extrapolation") {
        "constant" => Beyond::Constant,
        "linear" => Beyond::Linear,
        "continue" => Beyond::Continue,
        "periodic" => Beyond::Periodic,
        other => {
            return Err(object.refuse(&format!("`extrapolation=\"{other}\"` is not supported")));
        }
    };
    if object.text("handle_missing") == "zeros" {
        return Err(object.refuse("`handle_missing=\"zeros\"` is not supported"));
    }
    let listed = object.list("bsplines_")?;
    if listed.len() != columns.len() {
        return Err(object.refuse("it has splines of more or fewer columns than it is given"));
    }
    let drops_last = !object.flag("include_bias");
    let mut made = Vec::new();
    for (index, (column, id)) in columns.into_iter().zip(listed).enumerate() {
        let part = object.part(&format!("bsplines_[{index}]"), *id)?;
        let own = of_column(&part, beyond)?;
        let width = own.count;
        inputs.reject_missing(std::slice::from_ref(&column));
        let numbers = own.coefficients.len() + own.knots.len();
        let formula = Formula::new("pipeline", width, numbers, move |values, output| {
            own.run(values[0], output);
        });
        let mut splines = inputs.push(vec![column], Engine::Formula(formula));
        if drops_last {
            splines.pop();
        }
        made.extend(splines);
    }
    bounded(object, made)
}

fn of_column(object: &Object, beyond: Beyond) -> Result<Splines> {
    let unfit = || object.refuse("its coefficients do not fit its knots");
    // scipy has kept its knots under either name.
    let name = |own: &'static str, other: &'static str| {
        if object.find(own).is_some() {
            own
        } else {
            other
        }
    };
    let knots = object.reals(name("_t", "t"))?;
    let matrix = object.matrix(name("_c", "c"))?;
    let degree = object.real("k")? as usize;
    let is_fitting = knots.len() >= 2 * degree + 2
        && matrix.rows >= knots.len() - degree - 1
        && matrix.columns > 0
        && degree <= 64;
    if !is_fitting {
        return Err(unfit());
    }
    Ok(Splines {
        knots,
        degree,
        coefficients: matrix.values,
        count: matrix.columns,
        beyond,
    })
}
