//! LightGBM's text model as it is written: header, trees, parameters and pandas' categories,
//! nothing interpreted.
//!
//! Owns the line format of versions v2 (LightGBM 2.x) to v4, as `GBDT::SaveModelToString` and
//! `Tree::ToString` write it, and knows whether a file is whole. It must not know what a split or
//! an objective means. Nothing is allocated from a count in the file: arrays are read first and
//! measured against their counts afterwards.

use std::collections::HashMap;

use super::lines::{Fields, Lines, array, cut_off, is_importance_heading, number, parse_all};
use crate::contract::CategoryValue;
use crate::error::{Error, Result};

/// The whole file, its trees not read yet.
#[derive(Debug)]
pub(super) struct TextModel<'a> {
    /// `v2`, `v3` or `v4`.
    pub(super) version: String,
    /// `num_tree_per_iteration`, or `num_class` where it is missing.
    pub(super) trees_per_round: usize,
    /// The objective with its settings, such as `binary sigmoid:1`; none for custom objectives.
    pub(super) objective: Option<String>,
    /// Whether the sum over rounds is divided by their number: `boosting=rf`.
    pub(super) average_output: bool,
    /// One per feature.
    pub(super) feature_names: Vec<String>,
    /// One per feature: `[min:max]`, codes such as `-1:0:2`, or `none` for a feature of one value.
    pub(super) feature_infos: Vec<String>,
    /// In the order of addition.
    pub(super) trees: Vec<Fields<'a>>,
    /// The training parameters.
    pub(super) parameters: HashMap<String, String>,
    /// The categories of each pandas column of type `category`, in the order of columns; empty if
    /// there were none.
    pub(super) pandas_categories: Vec<Vec<CategoryValue>>,
}

/// One tree; the arrays of nodes have one entry fewer than those of leaves.
#[derive(Debug)]
pub(super) struct TextTree {
    pub(super) split_features: Vec<u32>,
    pub(super) thresholds: Vec<f64>,
    pub(super) decision_types: Vec<u8>,
    pub(super) left_children: Vec<i32>,
    pub(super) right_children: Vec<i32>,
    pub(super) leaf_values: Vec<f64>,
    /// Words of 32 codes; one slice for each categorical split.
    pub(super) category_sets: Vec<Vec<u32>>,
    /// Constant, features and coefficients of each leaf; empty for a tree that is not linear.
    pub(super) linear: Vec<TextLinear>,
}

/// A leaf's constant, and its features with their coefficients.
pub(super) type TextLinear = (f64, Vec<(u32, f64)>);

/// Whether the first lines are those of a text model.
pub(super) fn recognises(head: &[u8]) -> bool {
    let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines.next() == Some(b"tree")
        && lines
            .next()
            .is_some_and(|line| line.starts_with(b"version=") || line.starts_with(b"num_class="))
}

/// Reads the whole file but for what stands in its trees.
pub(super) fn parse(bytes: &[u8]) -> Result<TextModel<'_>> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Error::failed("the LightGBM model is not UTF-8 text").because(error))?;
    let mut lines = Lines::new(text);
    let header = lines.fields();
    let version = header.get("version").unwrap_or("v1").to_owned();
    if !["v2", "v3", "v4"].contains(&version.as_str()) {
        let hint = "load the model with LightGBM 2.x to 4.x and save it again with `save_model`";
        return Err(Error::contract(format!(
            "LightGBM's model version `{version}` is not supported"
        ))
        .hint(hint));
    }
    let feature_names = words(&header, "feature_names")?;
    let feature_infos = words(&header, "feature_infos")?;
    let feature_count = number::<usize>(&header, "max_feature_idx")?.saturating_add(1);
    for (name, found) in [
        ("feature_names", feature_names.len()),
        ("feature_infos", feature_infos.len()),
    ] {
        if found != feature_count {
            return Err(Error::failed(format!(
                "`{name}` has {found} entries, `max_feature_idx` says {feature_count}"
            )));
        }
    }
    let class_count: usize = number(&header, "num_class")?;
    let trees = trees(&mut lines, header.get("tree_sizes"))?;
    let (parameters, pandas_categories) = footer(&mut lines, &version)?;
    Ok(TextModel {
        version,
        trees_per_round: if header.contains_key("num_tree_per_iteration") {
            number(&header, "num_tree_per_iteration")?
        } else {
            class_count
        },
        objective: header.get("objective").map(str::to_owned),
        average_output: header.contains_key("average_output"),
        feature_names,
        feature_infos,
        trees,
        parameters,
        pandas_categories,
    })
}

fn trees<'a>(lines: &mut Lines<'a>, tree_sizes: Option<&str>) -> Result<Vec<Fields<'a>>> {
    let mut trees = Vec::new();
    let mut starts = Vec::new();
    while let Some(index) = lines.peek().and_then(|line| line.strip_prefix("Tree=")) {
        if index.parse() != Ok(trees.len()) {
            return Err(Error::failed(format!(
                "`Tree={index}` stands where tree {} should",
                trees.len()
            )));
        }
        starts.push(lines.offset);
        lines.advance();
        trees.push(lines.fields());
    }
    starts.push(lines.offset);
    if lines.peek().is_none() {
        return Err(cut_off("the end of its trees"));
    }
    let Some(sizes) = tree_sizes else {
        return Ok(trees);
    };
    let sizes: Vec<usize> = parse_all(sizes, trees.len())
        .ok_or_else(|| Error::failed("`tree_sizes` holds something that is not a size"))?;
    if sizes.len() != trees.len() {
        return Err(Error::failed(format!(
            "`tree_sizes` announces {} trees, the file holds {}",
            sizes.len(),
            trees.len()
        )));
    }
    // Carriage returns that a copy has put in or taken away move every offset; the count still
    // holds then.
    let moved = starts
        .windows(2)
        .zip(&sizes)
        .take(trees.len().saturating_sub(1))
        .position(|(pair, &size)| pair[1] - pair[0] != size);
    match moved {
        Some(index) if !lines.text.contains('\r') => {
            let hint = "the file was changed after it was saved, and LightGBM would \
                not read it either: export it again with `save_model`";
            Err(
                Error::failed("the tree is not of the length that `tree_sizes` gives")
                    .at_node(format!("tree {index}"))
                    .hint(hint),
            )
        }
        _ => Ok(trees),
    }
}

impl TextTree {
    /// Reads a tree's lines.
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self> {
        let leaf_count: usize = number(fields, "num_leaves")?;
        if leaf_count == 0 {
            return Err(Error::failed("`num_leaves` is 0"));
        }
        let leaf_values = array(fields, "leaf_value", leaf_count)?;
        let linear = if fields
            .get("is_linear")
            .is_some_and(|flag| flag.trim() == "1")
        {
            linear(fields, leaf_count)?
        } else {
            Vec::new()
        };
        let node_count = leaf_count - 1;
        if node_count == 0 {
            return Ok(Self {
                split_features: Vec::new(),
                thresholds: Vec::new(),
                decision_types: Vec::new(),
                left_children: Vec::new(),
                right_children: Vec::new(),
                leaf_values,
                category_sets: Vec::new(),
                linear,
            });
        }
        let without_types = !fields.contains_key("decision_type");
        Ok(Self {
            split_features: array(fields, "split_feature", node_count)?,
            thresholds: array(fields, "threshold", node_count)?,
            decision_types: if without_types {
                vec![0; node_count]
            } else {
                array(fields, "decision_type", node_count)?
            },
            left_children: array(fields, "left_child", node_count)?,
            right_children: array(fields, "right_child", node_count)?,
            leaf_values,
            category_sets: category_sets(fields)?,
            linear,
        })
    }
}

fn category_sets(fields: &Fields<'_>) -> Result<Vec<Vec<u32>>> {
    let count: usize = if fields.contains_key("num_cat") {
        number(fields, "num_cat")?
    } else {
        0
    };
    if count == 0 {
        return Ok(Vec::new());
    }
    let boundaries: Vec<usize> = array(fields, "cat_boundaries", count.saturating_add(1))?;
    let sets: Vec<u32> = array(
        fields,
        "cat_threshold",
        boundaries.last().copied().unwrap_or(0),
    )?;
    let slices = boundaries
        .windows(2)
        .map(|pair| sets.get(pair[0]..pair[1]).map(<[u32]>::to_vec));
    slices
        .collect::<Option<_>>()
        .ok_or_else(|| Error::failed("`cat_boundaries` does not ascend"))
}

fn linear(fields: &Fields<'_>, leaf_count: usize) -> Result<Vec<TextLinear>> {
    let constants: Vec<f64> = array(fields, "leaf_const", leaf_count)?;
    let counts: Vec<usize> = array(fields, "num_features", leaf_count)?;
    let total = counts
        .iter()
        .fold(0_usize, |sum, &count| sum.saturating_add(count));
    let features: Vec<u32> = array(fields, "leaf_features", total)?;
    let coefficients: Vec<f64> = array(fields, "leaf_coeff", total)?;
    let mut terms = features.into_iter().zip(coefficients);
    Ok(constants
        .into_iter()
        .zip(counts)
        .map(|(constant, count)| (constant, terms.by_ref().take(count).collect()))
        .collect())
}

type Footer = (HashMap<String, String>, Vec<Vec<CategoryValue>>);

/// What follows the trees. A file is whole if its parameters end, or if Python has put its
/// categories at the end.
fn footer(lines: &mut Lines<'_>, version: &str) -> Result<Footer> {
    let (mut parameters, mut categories) = (HashMap::new(), Vec::new());
    let (mut in_parameters, mut is_whole, mut has_importances) = (false, false, false);
    while let Some(line) = lines.peek() {
        lines.advance();
        if let Some(json) = line.strip_prefix("pandas_categorical:") {
            categories = pandas_categories(json)?;
            is_whole = true;
        } else if is_importance_heading(line) {
            has_importances = true;
        } else if line == "parameters:" {
            in_parameters = true;
            // LightGBM 2.0 and 2.1 write no line after the parameters.
            is_whole = version == "v2";
        } else if line == "end of parameters" {
            is_whole = true;
            in_parameters = false;
        } else if let Some((key, value)) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']')?.split_once(": "))
            .filter(|_| in_parameters)
        {
            parameters.insert(key.to_owned(), value.to_owned());
        } else if is_whole && !in_parameters && !line.is_empty() {
            return Err(cut_off("its categories").at_node(format!(
                "line `{}`",
                line.chars().take(40).collect::<String>()
            )));
        }
    }
    if has_importances && is_whole {
        Ok((parameters, categories))
    } else {
        Err(cut_off("its parameters"))
    }
}

fn pandas_categories(json: &str) -> Result<Vec<Vec<CategoryValue>>> {
    let lists: Option<Vec<Vec<serde_json::Value>>> =
        serde_json::from_str(json).map_err(|error| {
            Error::failed("cannot read the line `pandas_categorical`").because(error)
        })?;
    let values = |list: Vec<serde_json::Value>| list.into_iter().map(category_value).collect();
    lists.unwrap_or_default().into_iter().map(values).collect()
}

fn category_value(value: serde_json::Value) -> Result<CategoryValue> {
    match value {
        serde_json::Value::String(text) => Ok(CategoryValue::Text(text)),
        serde_json::Value::Bool(boolean) => Ok(CategoryValue::Boolean(boolean)),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(CategoryValue::Integer(whole)),
            (None, Some(number)) => Ok(CategoryValue::Number(number)),
            (None, None) => Err(Error::failed(format!(
                "`pandas_categorical` holds the number `{number}`"
            ))),
        },
        other => Err(Error::failed(format!(
            "`pandas_categorical` holds `{other}`, which is neither text, number nor boolean"
        ))),
    }
}

fn words(fields: &Fields<'_>, key: &str) -> Result<Vec<String>> {
    let value = fields
        .get(key)
        .ok_or_else(|| cut_off(&format!("its line `{key}`")))?;
    Ok(value
        .split(' ')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Two nodes: a number with NaN to the left, then a set of the codes 1 and 33.
    pub(in crate::format) const BRANCHING: &str = "num_leaves=3\nnum_cat=1\n\
         split_feature=0 1\nsplit_gain=2 1\nthreshold=0.5 0\n\
         decision_type=10 1\n\
         left_child=-1 -2\nright_child=1 -3\nleaf_value=0.25 -1 1e-3\nleaf_count=1 1 1\n\
         cat_boundaries=0 2\ncat_threshold=2 2\nshrinkage=1\n";
    pub(in crate::format) const CONSTANT: &str =
        "num_leaves=1\nnum_cat=0\nsplit_feature=\nthreshold=\nleaf_value=0.5\nshrinkage=1\n";

    /// A whole file of these trees over the features `age` and `shop`.
    pub(in crate::format) fn file(objective: &str, width: usize, trees: &[&str]) -> String {
        let trees: Vec<String> = trees
            .iter()
            .enumerate()
            .map(|(index, tree)| format!("Tree={index}\n{tree}\n\n"))
            .collect();
        let sizes: Vec<String> = trees.iter().map(|tree| tree.len().to_string()).collect();
        format!(
            "tree\nversion=v4\nnum_class={width}\nnum_tree_per_iteration={width}\nlabel_index=0\n\
             max_feature_idx=1\nobjective={objective}\n\
             feature_names=age shop\nfeature_infos=[0:9] -1:1:33\n\
                 tree_sizes={}\n\n{}end of trees\n\n\
                 feature_importances:\nage=1\n\n\
             parameters:\n[boosting: gbdt]\n[categorical_feature: 1]\n\n\
                 end of parameters\n\npandas_categorical:null\n",
            sizes.join(" "),
            trees.concat()
        )
    }

    pub(in crate::format) fn sample() -> String {
        file("binary sigmoid:0.5", 1, &[BRANCHING, CONSTANT])
    }

    /// The file and its trees.
    fn read(text: &str) -> Result<(TextModel<'_>, Vec<TextTree>)> {
        let model = parse(text.as_bytes())?;
        let tree = |(index, fields)| {
            TextTree::read(fields).map_err(|error| error.at_node(format!("tree {index}")))
        };
        let trees = model
            .trees
            .iter()
            .enumerate()
            .map(tree)
            .collect::<Result<Vec<TextTree>>>()?;
        Ok((model, trees))
    }

    fn refusal(text: &str) -> String {
        read(text).map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
    }

    #[test]
    fn a_file_is_read_as_it_is_written() {
        let text = sample();
        let (model, trees) = read(&text).unwrap();
        assert_eq!(
            (
                model.version.as_str(),
                model.trees_per_round,
                model.average_output
            ),
            ("v4", 1, false)
        );
        assert_eq!(
            (model.feature_names.join(","), model.trees.len()),
            ("age,shop".to_owned(), 2)
        );
        assert_eq!(
            (&trees[0].category_sets, &trees[0].decision_types),
            (&vec![vec![2, 2]], &vec![10, 1])
        );
        assert_eq!(model.parameters["boosting"], "gbdt");
    }

    #[test]
    fn line_ends_of_another_system_change_nothing() {
        assert_eq!(read(&sample().replace('\n', "\r\n")).unwrap().1.len(), 2);
    }

    #[test]
    fn empty_lines_are_nothing() {
        let text = file(
            "binary sigmoid:0.5",
            1,
            &[&BRANCHING.replace('\n', "\n\n\n"), CONSTANT],
        );
        assert_eq!(read(&text).unwrap().1.len(), 2);
        assert!(format!("{:?}", parse(text.as_bytes()).unwrap().trees[0]).len() < 500);
    }

    #[test]
    fn a_cut_file_is_refused_wherever_it_is_cut() {
        let text = sample();
        let marker = "end of parameters";
        let whole_without_python =
            text.find(marker).unwrap() + marker.len()..=text.find("pandas_categorical").unwrap();
        for length in 0..text.len() - 1 {
            let accepted = read(&text[..length]).is_ok();
            assert_eq!(
                accepted,
                whole_without_python.contains(&length),
                "cut at {length}"
            );
        }
    }

    #[test]
    fn arrays_of_a_wrong_length_or_kind_are_refused() {
        for (from, to, message) in [
            (
                "leaf_value=0.25 -1",
                "leaf_value=0.25",
                "`leaf_value` has 2 entries and should have 3",
            ),
            (
                "left_child=-1 -2",
                "left_child=-1 -2 3",
                "`left_child` has 3 entries and should have 2",
            ),
            (
                "threshold=0.5 0",
                "threshold=0.5 x",
                "`threshold` holds something that is not a number of its kind",
            ),
            (
                "split_feature=0 1",
                "split_feature=0 -1",
                "`split_feature` holds something that is not a number of its kind",
            ),
            (
                "num_leaves=3",
                "num_leaves=4000000000000",
                "`leaf_value` has 3 entries and should have 4000000000000",
            ),
            ("num_leaves=3", "num_leaves=0", "`num_leaves` is 0"),
            (
                "num_leaves=3",
                "num_leaves=-3",
                "`num_leaves` is `-3`, which is not a number that it may be",
            ),
            (
                "num_cat=1",
                "num_cat=18446744073709551615",
                "`cat_boundaries` has 2 entries and should have 18446744073709551615",
            ),
            (
                "cat_boundaries=0 2",
                "cat_boundaries=3 2",
                "`cat_boundaries` does not ascend",
            ),
            (
                "cat_boundaries=0 2",
                "cat_boundaries=0 9",
                "`cat_threshold` has 2 entries and should have 9",
            ),
        ] {
            let found = refusal(&file(
                "binary sigmoid:0.5",
                1,
                &[&BRANCHING.replacen(from, to, 1), CONSTANT],
            ));
            assert_eq!(found, format!("{message} (tree 0)"), "{to}");
        }
    }

    #[test]
    fn a_header_that_contradicts_itself_is_refused() {
        for (from, to, message) in [
            (
                "max_feature_idx=1",
                "max_feature_idx=18446744073709551615",
                "`feature_names` has 2 entries, `max_feature_idx` says 18446744073709551615",
            ),
            ("Tree=1", "Tree=7", "`Tree=7` stands where tree 1 should"),
            (
                "tree_sizes=",
                "tree_sizes=3 ",
                "`tree_sizes` announces 3 trees, the file holds 2",
            ),
            (
                "leaf_value=0.25",
                "leaf_value=0.2",
                "the tree is not of the length that `tree_sizes` gives (tree 0)",
            ),
            (
                "version=v4",
                "version=v9",
                "LightGBM's model version `v9` is not supported",
            ),
            (
                "null",
                "[[null]]",
                "`pandas_categorical` holds `null`, which is neither text, number nor boolean",
            ),
        ] {
            assert_eq!(refusal(&sample().replacen(from, to, 1)), message, "{to}");
        }
    }

    #[test]
    fn linear_leaves_take_their_terms_in_order() {
        let text = "num_leaves=2\nnum_cat=0\nsplit_feature=0\n\
            threshold=0\ndecision_type=2\nleft_child=-1\n\
            right_child=-2\nleaf_value=1 2\nis_linear=1\n\
                    leaf_const=3 4\nnum_features=0 2\nleaf_features= 0 1 \nleaf_coeff= 0.5 0.25 \n";
        let linear = &read(&file("regression", 1, &[text])).unwrap().1[0].linear;
        assert_eq!(*linear, [(3.0, vec![]), (4.0, vec![(0, 0.5), (1, 0.25)])]);
        let hostile = text.replace("num_features=0 2", "num_features=18446744073709551615 2");
        assert_eq!(
            refusal(&file("regression", 1, &[&hostile])),
            "`leaf_features` has 2 entries and should have 18446744073709551615 (tree 0)"
        );
    }
}
