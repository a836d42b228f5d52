//! `GeoParquet`: what a file's footer says of its geometry columns, carried to an output that has
//! them unchanged.
//!
//! Owns the footer's `geo` key: which parts of it are still true of other rows of the same columns.
//! Source: the specification of `GeoParquet` 1.1. It must not know files.

use serde_json::{Map, Value};

/// The key in a footer.
pub const KEY: &str = "geo";

/// The `geo` value of an output whose columns are (name in the files, name in the output), made of
/// those of all files; none if it would not be true.
#[must_use]
pub fn carried(files: &[String], columns: &[(String, String)]) -> Option<String> {
    let parsed = files.iter().map(|text| serde_json::from_str(text).ok());
    let parsed: Vec<Map<String, Value>> = parsed.collect::<Option<_>>()?;
    let first = parsed.first()?;
    let renamed = |own: &str| {
        let mut columns = columns.iter();
        columns.find(|(name, _)| name == own).map(|(_, name)| name)
    };
    let described = first.get("columns")?.as_object()?;
    let mut kept = Map::new();
    for (own, name) in described
        .keys()
        .filter_map(|own| Some((own, renamed(own)?)))
    {
        let entries = parsed
            .iter()
            .map(|file| file.get("columns")?.get(own)?.as_object());
        let entries: Vec<&Map<String, Value>> = entries.collect::<Option<_>>()?;
        let mut entry = merged(&entries)?;
        if !covering_stays(&entry, &renamed) {
            entry.remove("covering");
        }
        kept.insert(name.clone(), Value::Object(entry));
    }
    let primary = first.get("primary_column")?.as_str()?;
    let primary = renamed(primary).filter(|name| kept.contains_key(*name));
    let primary = primary.or_else(|| kept.keys().next())?.clone();
    let mut all = first.clone();
    all.insert("primary_column".to_owned(), primary.into());
    all.insert("columns".to_owned(), Value::Object(kept));
    serde_json::to_string(&all).ok()
}

/// What all files say of a column; none if they do not agree. The box around all geometries is that
/// of other rows.
fn merged(entries: &[&Map<String, Value>]) -> Option<Map<String, Value>> {
    const OF_ROWS: [&str; 2] = ["bbox", "geometry_types"];
    let plain = |entry: &Map<String, Value>| {
        let mut entry = entry.clone();
        OF_ROWS.iter().for_each(|name| drop(entry.remove(*name)));
        entry
    };
    let mut all = plain(entries.first()?);
    if entries.iter().any(|entry| plain(entry) != all) {
        return None;
    }
    let types: Vec<&Vec<Value>> = entries
        .iter()
        .map(|entry| entry.get("geometry_types")?.as_array())
        .collect::<Option<_>>()?;
    // An empty list says that they are not known.
    let mut union: Vec<Value> = Vec::new();
    if types.iter().all(|types| !types.is_empty()) {
        for one in types.into_iter().flatten() {
            if !union.contains(one) {
                union.push(one.clone());
            }
        }
    }
    all.insert("geometry_types".to_owned(), Value::Array(union));
    Some(all)
}

/// Whether the columns of boxes that an entry names are there under their names.
fn covering_stays<'a>(
    entry: &Map<String, Value>,
    renamed: &impl Fn(&str) -> Option<&'a String>,
) -> bool {
    let Some(covering) = entry.get("covering") else {
        return true;
    };
    let mut paths = covering["bbox"].as_object().into_iter().flatten();
    paths.all(|(_, path)| {
        let column = path.get(0).and_then(Value::as_str);
        column.is_some_and(|column| renamed(column).is_some_and(|name| name == column))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(entry: &Value) -> String {
        json!({
            "version": "1.1.0",
            "primary_column": "geometry",
            "columns": {"geometry": entry, "other": {"encoding": "WKB", "geometry_types": []}},
        })
        .to_string()
    }

    fn columns(names: &[(&str, &str)]) -> Vec<(String, String)> {
        let pair = |(own, name): &(&str, &str)| ((*own).to_owned(), (*name).to_owned());
        names.iter().map(pair).collect()
    }

    #[test]
    fn what_is_true_of_all_rows_is_carried() {
        let crs = json!({"id": {"authority": "EPSG", "code": 25832}});
        let of = |types: &[&str], bbox: f64| {
            file(&json!({
                "encoding": "WKB",
                "geometry_types": types,
                "crs": crs,
                "bbox": [bbox, bbox, bbox, bbox],
                "covering": {"bbox": {"xmin": ["bbox", "xmin"], "ymin": ["bbox", "ymin"]}},
            }))
        };
        let files = [of(&["Point"], 1.0), of(&["Point", "Polygon"], 2.0)];
        let carried = |names: &[(&str, &str)]| -> Value {
            serde_json::from_str(&carried(&files, &columns(names)).unwrap()).unwrap()
        };
        assert_eq!(
            carried(&[("id", "id"), ("geometry", "shape")]),
            json!({
                "version": "1.1.0",
                "primary_column": "shape",
                "columns": {"shape": {
                    "encoding": "WKB", "geometry_types": ["Point", "Polygon"], "crs": crs,
                }},
            })
        );
        let covered = carried(&[("geometry", "geometry"), ("bbox", "bbox")]);
        assert_eq!(
            covered["columns"]["geometry"]["covering"]["bbox"]["xmin"][1],
            "xmin"
        );
        assert_eq!(carried(&[("other", "other")])["primary_column"], "other");
    }

    #[test]
    fn what_is_not_true_of_all_rows_is_not() {
        let of = |crs: u32| file(&json!({"encoding": "WKB", "geometry_types": [], "crs": crs}));
        let names = columns(&[("geometry", "geometry")]);
        assert!(carried(&[of(1), of(1)], &names).is_some());
        assert_eq!(carried(&[of(1), of(2)], &names), None);
        assert_eq!(carried(&[of(1)], &columns(&[("id", "id")])), None);
        assert_eq!(carried(&[of(1), "{".to_owned()], &names), None);
        assert_eq!(carried(&[], &names), None);
    }
}
