//! Whether a classifier's scores are probabilities or decision values, such as distances from a
//! hyperplane.
//!
//! Owns the two signs of it: the operator that the scores come from, and what comes out for rows of
//! zeros. It must not know what the columns are called.

use std::collections::{HashMap, HashSet};

use super::attribute::AttributeProto;
use super::schema::{Graph, Node};
use crate::graph::Value;
use crate::graph::arrays::row_length;

/// Operators that pass the numbers of their first input on, in another form or a choice of them.
const PASSING: [&str; 9] = [
    "ArrayFeatureExtractor",
    "Cast",
    "Flatten",
    "Gather",
    "Identity",
    "Reshape",
    "Squeeze",
    "Transpose",
    "ZipMap",
];

/// Arithmetic that makes decision values of decision values.
const ARITHMETIC: [&str; 6] = ["Add", "Concat", "Mul", "Neg", "Sub", "Sum"];

/// How far a probability, and the sum of a row's, may be off for rounding.
const SLACK: f64 = 1e-3;

/// What the scores of an output come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// A classifier without a link between its sums and its scores.
    pub(super) is_classifier: bool,
    /// A product with weights, behind which nothing but sums follow.
    is_product: bool,
}

impl Origin {
    /// Follows an output back to where its numbers are made.
    pub(super) fn of(graph: &Graph, output: &str) -> Self {
        let makers: HashMap<&str, &Node> = graph
            .nodes
            .iter()
            .flat_map(|node| node.outputs.iter().map(move |name| (*name, node)))
            .collect();
        let (mut found, mut seen, mut open) = (Self::default(), HashSet::new(), vec![output]);
        while let Some(name) = open.pop() {
            let Some(node) = makers.get(name).filter(|_| seen.insert(name)) else {
                continue;
            };
            match node.operator {
                "LinearClassifier" | "SVMClassifier" => found.is_classifier |= has_no_link(node),
                "MatMul" | "Gemm" => found.is_product = true,
                passing if PASSING.contains(&passing) => open.extend(node.inputs.first()),
                arithmetic if ARITHMETIC.contains(&arithmetic) => open.extend(&node.inputs),
                _ => {}
            }
        }
        found
    }

    /// Whether the scores of several classes are decision values; `trial` is what comes out for
    /// rows of zeros.
    pub(super) fn is_decision(self, trial: Option<&Value>) -> bool {
        let rows = trial.and_then(rows);
        let any = |is_wrong: fn(&[f64]) -> bool| {
            rows.as_ref()
                .is_some_and(|rows| rows.iter().any(|row| is_wrong(row)))
        };
        let is_outside = any(|row| {
            let mut values = row.iter();
            values.any(|value| *value < -SLACK || *value > 1.0 + SLACK)
        });
        let is_unequal = any(|row| (row.iter().sum::<f64>() - 1.0).abs() > SLACK);
        self.is_classifier || is_outside || self.is_product && is_unequal
    }
}

/// Whether a classifier's scores are its sums: a machine of support vectors has probabilities if it
/// has the coefficients of Platt's link.
fn has_no_link(node: &Node) -> bool {
    let of = |name: &str| {
        let mut attributes = node.attributes.iter();
        attributes.find(|attribute: &&AttributeProto| attribute.name == name)
    };
    let is_plain = of("post_transform")
        .is_none_or(|attribute| attribute.string.is_empty() || attribute.string == b"NONE");
    is_plain && of("prob_a").is_none_or(|attribute| attribute.floats.is_empty())
}

/// The numbers of each row of an output.
fn rows(value: &Value) -> Option<Vec<Vec<f64>>> {
    let tensor = match value {
        Value::Maps { values, .. } => values,
        other => other.tensor().ok()?,
    };
    let (width, values) = (row_length(tensor), tensor.doubles().ok()?);
    (width > 0).then(|| values.chunks(width).map(<[f64]>::to_vec).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<'a>(mut node: Node<'a>, name: &'a str, string: &'a [u8], floats: &[f32]) -> Node<'a> {
        node.attributes.push(AttributeProto {
            name,
            string,
            floats: floats.to_vec().into(),
            ..AttributeProto::default()
        });
        node
    }

    fn origin(nodes: Vec<Node>) -> Origin {
        let graph = Graph {
            nodes,
            ..Graph::default()
        };
        Origin::of(&graph, "scores")
    }

    #[test]
    fn sums_without_a_link_are_decision_values() {
        let classifier = |operator| Node::new(operator, &["x"], &["label", "raw"]);
        let passed = |classifier: Node<'static>| {
            origin(vec![
                classifier,
                Node::new("Cast", &["raw"], &["cast"]),
                Node::new("ZipMap", &["cast"], &["scores"]),
            ])
        };
        for operator in ["LinearClassifier", "SVMClassifier"] {
            assert!(passed(classifier(operator)).is_decision(None));
            let none = with(classifier(operator), "post_transform", b"NONE", &[]);
            assert!(passed(none).is_decision(None));
            let logistic = with(classifier(operator), "post_transform", b"LOGISTIC", &[]);
            assert!(!passed(logistic).is_decision(None));
        }
        let platt = with(classifier("SVMClassifier"), "prob_a", b"", &[-1.5]);
        assert!(!passed(platt).is_decision(None));
        let softmax = origin(vec![
            classifier("LinearClassifier"),
            Node::new("Softmax", &["raw"], &["scores"]),
        ]);
        assert!(!softmax.is_decision(None));
    }

    #[test]
    fn products_are_decision_values_where_a_trial_row_does_not_sum_to_one() {
        let both_sides = origin(vec![
            Node::new("MatMul", &["x", "w"], &["product"]),
            Node::new("Add", &["product", "b"], &["score"]),
            Node::new("Mul", &["score", "minus_one"], &["negated"]),
            Node::new("Concat", &["negated", "score"], &["scores"]),
        ]);
        let forest = origin(vec![Node::new(
            "TreeEnsembleClassifier",
            &["x"],
            &["label", "scores"],
        )]);
        let trial = |values: &[f32]| {
            let tensor = crate::graph::Tensor::new(vec![1, values.len()], values.to_vec());
            Value::Tensor(tensor.unwrap())
        };
        for (values, of_product, of_forest) in [
            (&[0.25, 0.75][..], false, false),
            (&[-0.5, 0.5], true, true),
            (&[0.5, 0.9], true, false),
            (&[2.5, 0.1], true, true),
        ] {
            let trial = trial(values);
            assert_eq!(
                (
                    both_sides.is_decision(Some(&trial)),
                    forest.is_decision(Some(&trial))
                ),
                (of_product, of_forest),
                "{values:?}"
            );
        }
        assert!(!both_sides.is_decision(None), "nothing is known of it");
    }
}
