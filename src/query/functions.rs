//! The functions that an expression may call, with the number of their arguments, and the names of
//! those that are refused.
//!
//! The list is one of permissions: what it does not name is refused. It must not know what the
//! functions compute.

/// (name, other names, fewest arguments, most arguments)
type Entry = (&'static str, &'static [&'static str], usize, usize);

const MANY: usize = usize::MAX;

const FUNCTIONS: &[Entry] = &[
    ("abs", &[], 1, 1),
    ("ceil", &["ceiling"], 1, 1),
    ("floor", &[], 1, 1),
    ("round", &[], 1, 2),
    ("trunc", &[], 1, 1),
    ("sign", &[], 1, 1),
    ("sqrt", &[], 1, 1),
    ("cbrt", &[], 1, 1),
    ("exp", &[], 1, 1),
    ("ln", &[], 1, 1),
    ("log", &[], 1, 2),
    ("log2", &[], 1, 1),
    ("log10", &[], 1, 1),
    ("log1p", &[], 1, 1),
    ("power", &["pow"], 2, 2),
    ("mod", &[], 2, 2),
    ("pi", &[], 0, 0),
    ("sin", &[], 1, 1),
    ("cos", &[], 1, 1),
    ("tan", &[], 1, 1),
    ("cot", &[], 1, 1),
    ("asin", &[], 1, 1),
    ("acos", &[], 1, 1),
    ("atan", &[], 1, 1),
    ("atan2", &[], 2, 2),
    ("sinh", &[], 1, 1),
    ("cosh", &[], 1, 1),
    ("tanh", &[], 1, 1),
    ("degrees", &[], 1, 1),
    ("radians", &[], 1, 1),
    ("isnan", &[], 1, 1),
    ("isinf", &[], 1, 1),
    ("isfinite", &[], 1, 1),
    ("greatest", &[], 1, MANY),
    ("least", &[], 1, MANY),
    ("nullif", &[], 2, 2),
    ("lower", &["lcase"], 1, 1),
    ("upper", &["ucase"], 1, 1),
    ("length", &["len", "char_length", "character_length"], 1, 1),
    ("octet_length", &["strlen"], 1, 1),
    ("trim", &["btrim"], 1, 2),
    ("ltrim", &[], 1, 2),
    ("rtrim", &[], 1, 2),
    ("lpad", &[], 2, 3),
    ("rpad", &[], 2, 3),
    ("left", &[], 2, 2),
    ("right", &[], 2, 2),
    ("substring", &["substr"], 2, 3),
    ("replace", &[], 3, 3),
    ("reverse", &[], 1, 1),
    ("repeat", &[], 2, 2),
    ("concat", &[], 1, MANY),
    ("concat_ws", &[], 2, MANY),
    ("||", &[], 2, 2),
    ("split_part", &[], 3, 3),
    ("strpos", &["instr"], 2, 2),
    ("starts_with", &["prefix"], 2, 2),
    ("ends_with", &["suffix"], 2, 2),
    ("contains", &[], 2, 2),
    ("strftime", &[], 2, 2),
    ("strptime", &[], 2, 2),
    ("date_trunc", &["datetrunc"], 2, 2),
    ("date_diff", &["datediff"], 3, 3),
];

/// Functions that look at other rows, by the names that users use.
const AGGREGATES: &[&str] = &[
    "any_value",
    "approx_count_distinct",
    "arg_max",
    "arg_min",
    "array_agg",
    "avg",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar_pop",
    "covar_samp",
    "cume_dist",
    "dense_rank",
    "first",
    "first_value",
    "group_concat",
    "histogram",
    "kurtosis",
    "lag",
    "last",
    "last_value",
    "lead",
    "list",
    "mad",
    "max",
    "max_by",
    "mean",
    "median",
    "min",
    "min_by",
    "mode",
    "nth_value",
    "ntile",
    "percent_rank",
    "product",
    "quantile",
    "quantile_cont",
    "quantile_disc",
    "rank",
    "row_number",
    "skewness",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "string_agg",
    "sum",
    "unnest",
    "var_pop",
    "var_samp",
    "variance",
];

/// Functions whose value depends on when or how often they are called.
const CHANGING: &[&str] = &[
    "age",
    "current_date",
    "current_localtime",
    "current_localtimestamp",
    "current_time",
    "current_timestamp",
    "gen_random_uuid",
    "get_current_time",
    "get_current_timestamp",
    "localtime",
    "localtimestamp",
    "nextval",
    "now",
    "random",
    "setseed",
    "today",
    "transaction_timestamp",
    "uuid",
];

/// The function of this name, and how few and how many arguments it takes.
pub(super) fn find(name: &str) -> Option<(&'static str, usize, usize)> {
    let entry = FUNCTIONS
        .iter()
        .find(|(own, others, ..)| *own == name || others.contains(&name))?;
    Some((entry.0, entry.2, entry.3))
}

/// Whether the function looks at other rows.
pub(super) fn is_aggregate(name: &str) -> bool {
    AGGREGATES.contains(&name)
}

/// Whether the function gives another value in another run.
pub(super) fn is_changing(name: &str) -> bool {
    CHANGING.contains(&name)
}

/// The names of all functions.
pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
    FUNCTIONS
        .iter()
        .flat_map(|(own, others, ..)| std::iter::once(*own).chain(others.iter().copied()))
}
