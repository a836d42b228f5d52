//! Element by element over one tensor or over two that broadcast, whatever is done to the elements.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::graph::layout::{broadcast, broadcast_strides, walk};
use crate::graph::tensor::{Element, Tensor, room_of};

/// A tensor of what `function` makes of each element.
pub(crate) fn map<T: Element, U: Element>(
    tensor: &Tensor,
    function: impl Fn(&T) -> U,
) -> Result<Tensor> {
    room_of::<U>(tensor.shape())?;
    Tensor::new(
        tensor.shape().to_vec(),
        tensor.values::<T>()?.iter().map(function).collect(),
    )
}

/// The same tensor with each element changed, in place where nothing shares it.
pub(crate) fn change<T: Element>(tensor: Tensor, function: impl Fn(&mut T)) -> Result<Tensor> {
    let shape = tensor.shape().to_vec();
    let mut values = tensor.into_values::<T>()?;
    values.iter_mut().for_each(function);
    Tensor::new(shape, values)
}

/// The same tensor with all elements changed at once, in place where nothing shares them.
pub(crate) fn change_all<T: Element>(
    tensor: Tensor,
    function: impl Fn(&mut [T]),
) -> Result<Tensor> {
    let shape = tensor.shape().to_vec();
    let mut values = tensor.into_values::<T>()?;
    function(&mut values);
    Tensor::new(shape, values)
}

/// A tensor of what `function` makes of each pair of elements, broadcast as numpy does.
pub(crate) fn zip<A: Element, B: Element, U: Element>(
    left: &Tensor,
    right: &Tensor,
    function: impl Fn(&A, &B) -> U,
) -> Result<Tensor> {
    let shape = broadcast(left.shape(), right.shape())?;
    let (a, b) = (left.values::<A>()?, right.values::<B>()?);
    let count = room_of::<U>(&shape)?;
    if left.shape() == right.shape() {
        return Tensor::new(
            shape,
            a.iter().zip(b).map(|(a, b)| function(a, b)).collect(),
        );
    }
    let mut values = Vec::with_capacity(count);
    let (a_strides, b_strides) = (
        broadcast_strides(left.shape(), &shape),
        broadcast_strides(right.shape(), &shape),
    );
    let Some((&width, outer)) = shape.split_last() else {
        return Err(Error::internal("two scalars of different shapes"));
    };
    let last = outer.len();
    walk(
        outer,
        [&a_strides[..last], &b_strides[..last]],
        |[a_start, b_start]| match (a_strides[last], b_strides[last]) {
            _ if width == 0 => {}
            (0, 0) => values.extend(std::iter::repeat_n(
                function(&a[a_start], &b[b_start]),
                width,
            )),
            (0, _) => values.extend(
                b[b_start..b_start + width]
                    .iter()
                    .map(|b| function(&a[a_start], b)),
            ),
            (_, 0) => values.extend(
                a[a_start..a_start + width]
                    .iter()
                    .map(|a| function(a, &b[b_start])),
            ),
            _ => values.extend(
                a[a_start..a_start + width]
                    .iter()
                    .zip(&b[b_start..b_start + width])
                    .map(|(a, b)| function(a, b)),
            ),
        },
    );
    Tensor::new(shape, values)
}

/// `condition ? yes : no`, broadcast.
pub(crate) fn choose(condition: &Tensor, yes: &Tensor, no: &Tensor) -> Result<Tensor> {
    fn pick<T: Element>(
        condition: &Tensor,
        yes: (&Tensor, &[T]),
        no: &Tensor,
        shape: Vec<usize>,
    ) -> Result<Tensor> {
        let (flags, yes_values, no_values) =
            (condition.values::<bool>()?, yes.1, no.values::<T>()?);
        let strides =
            [condition, yes.0, no].map(|tensor| broadcast_strides(tensor.shape(), &shape));
        let mut values = Vec::with_capacity(room_of::<T>(&shape)?);
        walk(
            &shape,
            [&strides[0], &strides[1], &strides[2]],
            |[flag, yes, no]| {
                values.push(if flags[flag] {
                    yes_values[yes].clone()
                } else {
                    no_values[no].clone()
                });
            },
        );
        Tensor::from_data(shape, T::wrap(Arc::new(values)))
    }
    let shape = broadcast(&broadcast(condition.shape(), yes.shape())?, no.shape())?;
    crate::graph::element::any!(yes.data(), values => pick(condition, (yes, values), no, shape))
}
