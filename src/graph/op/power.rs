//! Powers, with the precision and the limits of ONNX Runtime.
//!
//! The result has the base's type. A base and exponents of single precision are computed in it,
//! everything else in double precision, and cut to an integer as the processor does. An exponent of
//! 2 or 3 that never changes makes a product, which wraps.

use super::broadcast::{map, zip};
use super::elementwise::Number;
use crate::error::Result;
use crate::graph::cast::{to_i32, to_i64};
use crate::graph::element::mixed;
use crate::graph::entry::Entry;
use crate::graph::operator::{Built, Definition, single};
use crate::graph::tensor::{Data, Tensor};

pub(crate) const OPERATORS: &[Entry] = &[Entry::packing("Pow", 2, 2, power).since(7).floats()];

fn power(_: &Definition, constants: &[Option<Tensor>]) -> Result<Built> {
    let exponent = constants.get(1).and_then(Option::as_ref);
    let exponent = exponent.filter(|exponent| exponent.len() == 1);
    let number = exponent.and_then(|exponent| exponent.doubles().ok()?.first().copied());
    let factors = [2.0, 3.0]
        .into_iter()
        .position(|known| Some(known) == number);
    single(move |call| {
        let (base, exponent) = (call.tensor(0)?, call.tensor(1)?);
        match factors {
            Some(further) => product(base, exponent, further + 1),
            None => raised(base, exponent),
        }
    })
}

/// The base times itself, `further` times.
fn product(base: &Tensor, exponent: &Tensor, further: usize) -> Result<Tensor> {
    fn typed<T: Number>(base: &Tensor, _: &[T], further: usize) -> Result<Tensor> {
        map(base, |base: &T| {
            (0..further).fold(*base, |product, _| product.multiply(*base))
        })
    }
    let made = match base.data() {
        Data::Float(values) => typed(base, values, further),
        Data::Double(values) => typed(base, values, further),
        Data::Int32(values) => typed(base, values, further),
        Data::Int64(values) => typed(base, values, further),
        other => Err(mixed(other, exponent.data())),
    }?;
    // The one exponent may have more axes than the base.
    let missing = exponent.rank().saturating_sub(base.rank());
    let shape = [vec![1; missing], base.shape().to_vec()].concat();
    made.reshaped(shape)
}

fn raised(base: &Tensor, exponent: &Tensor) -> Result<Tensor> {
    if let (Data::Float(_), Data::Float(_)) = (base.data(), exponent.data()) {
        return zip(base, exponent, |base: &f32, exponent: &f32| {
            base.powf(*exponent)
        });
    }
    let exponents = Tensor::new(exponent.shape().to_vec(), exponent.doubles()?)?;
    match base.data() {
        Data::Float(_) => zip(base, &exponents, |base: &f32, exponent: &f64| {
            f64::from(*base).powf(*exponent) as f32
        }),
        Data::Double(_) => zip(base, &exponents, |base: &f64, exponent: &f64| {
            base.powf(*exponent)
        }),
        Data::Int32(_) => zip(base, &exponents, |base: &i32, exponent: &f64| {
            to_i32(f64::from(*base).powf(*exponent))
        }),
        Data::Int64(_) => zip(base, &exponents, |base: &i64, exponent: &f64| {
            to_i64((*base as f64).powf(*exponent))
        }),
        other => Err(mixed(other, exponent.data())),
    }
}
