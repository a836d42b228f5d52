//! Where a missing value shows in a graph: which inputs reach an operator that distinguishes it
//! from others.
//!
//! Owns the list of such operators, and of those that keep values apart on the way. It must not
//! know columns or policies.

use std::collections::HashSet;

use super::schema::Model as ModelProto;

/// Operators that tell a missing value from others, or may. To all others it is NaN, of which they
/// make NaN or something that means nothing.
const TELLING: [&str; 9] = [
    "TreeEnsemble",
    "TreeEnsembleClassifier",
    "TreeEnsembleRegressor",
    "Imputer",
    "IsNaN",
    "Equal",
    "LabelEncoder",
    "OneHotEncoder",
    "CategoryMapper",
];

/// Operators behind which a missing value is still one value among others; behind those that mix
/// values, such as products, all would be NaN.
const KEEPING_APART: [&str; 28] = [
    "Abs",
    "Add",
    "ArrayFeatureExtractor",
    "Cast",
    "Clip",
    "Concat",
    "Div",
    "Dropout",
    "Exp",
    "Expand",
    "FeatureVectorizer",
    "Flatten",
    "Gather",
    "GatherElements",
    "Identity",
    "Log",
    "Mul",
    "Neg",
    "Pow",
    "Reshape",
    "Scaler",
    "Slice",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Transpose",
    "Unsqueeze",
];

/// Where missing values go in a graph.
pub(super) struct Missing<'a> {
    /// Values that reach an operator which shows missing ones; none if that cannot be known.
    rendered: Option<HashSet<&'a str>>,
    /// Values that any operator reads.
    read: HashSet<&'a str>,
}

impl<'a> Missing<'a> {
    /// From the last node to the first: nodes stand in the order in which they run.
    pub(super) fn of(model: &ModelProto<'a>) -> Self {
        let nodes = model.graph.as_ref().map_or(&[][..], |graph| &graph.nodes);
        // An operand that is dropped has no name.
        let named = |names: &[&'a str]| {
            names
                .iter()
                .copied()
                .filter(|name| !name.is_empty())
                .collect::<Vec<_>>()
        };
        let read = nodes.iter().flat_map(|node| named(&node.inputs)).collect();
        if !model.functions.is_empty()
            || nodes.iter().any(|node| {
                node.attributes
                    .iter()
                    .any(|attribute| attribute.graph.is_some())
            })
        {
            return Self {
                rendered: None,
                read,
            };
        }
        let mut rendered = HashSet::new();
        for node in nodes.iter().rev() {
            let leads_on = || {
                KEEPING_APART.contains(&node.operator)
                    && named(&node.outputs)
                        .iter()
                        .any(|output| rendered.contains(output))
            };
            if TELLING.contains(&node.operator) || leads_on() {
                rendered.extend(named(&node.inputs));
            }
        }
        Self {
            rendered: Some(rendered),
            read,
        }
    }

    /// Whether the graph does something about missing values of this input, or nothing at all with
    /// it.
    pub(super) fn is_distinguished(&self, name: &str) -> bool {
        self.rendered
            .as_ref()
            .is_none_or(|rendered| rendered.contains(name))
            || !self.read.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::onnx::schema::{Graph as GraphProto, Node};

    /// Whether missing values of `x` are reported in a graph of these nodes, from the first to the
    /// last.
    fn is_distinguished(nodes: Vec<Node>) -> bool {
        let model = ModelProto {
            graph: Some(GraphProto {
                nodes,
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        };
        Missing::of(&model).is_distinguished("x")
    }

    #[test]
    fn missing_values_are_reported_where_their_own_way_leads_to_something_that_reports_them() {
        let scaled = || Node::new("Scaler", &["x"], &["scaled"]);
        assert!(is_distinguished(vec![
            Node::new("Imputer", &["x"], &["full"]),
            Node::new("Gemm", &["full", "w"], &["y"])
        ]));
        assert!(is_distinguished(vec![
            scaled(),
            Node::new("Concat", &["scaled", "other"], &["all"]),
            Node::new("TreeEnsembleRegressor", &["all"], &["y"])
        ]));
        assert!(is_distinguished(vec![
            Node::new("IsNaN", &["x"], &["gap"]),
            Node::new("Where", &["gap", "zero", "x"], &["y"])
        ]));
        assert!(
            is_distinguished(vec![Node::new("Relu", &["other"], &["y"])]),
            "what nothing reads stops nothing"
        );
        assert!(!is_distinguished(vec![
            scaled(),
            Node::new("LinearRegressor", &["scaled"], &["y"])
        ]));
        assert!(!is_distinguished(vec![
            Node::new("Gemm", &["x", "w"], &["score"]),
            Node::new("Greater", &["score", "half"], &["y"])
        ]));
        assert!(!is_distinguished(vec![
            Node::new("LinearClassifier", &["x"], &["class"]),
            Node::new("LabelEncoder", &["class"], &["y"])
        ]));
        let shape = vec![
            Node::new("Shape", &["x"], &["shape"]),
            Node::new("Equal", &["shape", "one"], &["is_one"]),
            Node::new("MatMul", &["x", "w"], &["y"]),
        ];
        assert!(!is_distinguished(shape));
        let left_out = vec![
            Node::new("LSTM", &["x", "w", "r", "", ""], &["", "y"]),
            Node::new("Imputer", &["", "other"], &["z"]),
        ];
        assert!(!is_distinguished(left_out));
    }

    #[test]
    fn what_functions_do_with_missing_values_is_not_known() {
        let graph = Some(GraphProto {
            nodes: vec![Node::new("Gemm", &["x", "w"], &["y"])],
            ..GraphProto::default()
        });
        let model = ModelProto {
            graph,
            functions: vec![crate::format::onnx::schema::Function::default()],
            ..ModelProto::default()
        };
        assert!(Missing::of(&model).is_distinguished("x"));
    }
}
