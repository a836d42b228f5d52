//! The import arrows between source files: no room imports from a room above it, and no circle of
//! files is large. The order of the rooms is the order of the module list in `src/lib.rs`.

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::root;

/// The most files that may import each other in a circle.
const MAX_CIRCLE: usize = 3;

/// Circles that are still larger: a file of each and its size. The list may only shrink.
const LARGE_CIRCLES: [(&str, usize); 0] = [];

/// Imports from a room above that are still there: from and to. The list may only shrink.
const UPWARD: [(&str, &str); 0] = [];

/// A path of modules or names below the crate's root.
type Name = Vec<String>;

/// The sources of a crate: file paths below `src` and their text.
type Sources = BTreeMap<String, String>;

/// The lexical parts of Rust that matter here. Comments and literals are dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    /// `::`
    Separator,
    Mark(char),
}

/// Splits a source text into tokens.
fn tokens(text: &str) -> Vec<Token> {
    let source: Vec<char> = text.chars().collect();
    let at = |index: usize| source.get(index).copied().unwrap_or('\0');
    let is_word = |symbol: char| symbol.is_alphanumeric() || symbol == '_';
    let mut found = Vec::new();
    let mut index = 0;
    while index < source.len() {
        match at(index) {
            '/' if at(index + 1) == '/' => {
                while index < source.len() && at(index) != '\n' {
                    index += 1;
                }
            }
            '/' if at(index + 1) == '*' => index = after_block_comment(&source, index),
            '"' => index = after_string(&source, index),
            '\'' if at(index + 1) == '\\' => index = after_character(&source, index),
            '\'' if at(index + 2) == '\'' => index += 3,
            ':' if at(index + 1) == ':' => {
                found.push(Token::Separator);
                index += 2;
            }
            symbol if is_word(symbol) => {
                let start = index;
                while is_word(at(index)) {
                    index += 1;
                }
                let word: String = source[start..index].iter().collect();
                let is_raw = matches!(word.as_str(), "r" | "br" | "cr");
                if is_raw && at(index) == '#' && is_word(at(index + 1)) {
                    index += 1;
                } else if is_raw && matches!(at(index), '"' | '#') {
                    index = after_raw_string(&source, index);
                } else {
                    found.push(Token::Word(word));
                }
            }
            symbol => {
                if !symbol.is_whitespace() {
                    found.push(Token::Mark(symbol));
                }
                index += 1;
            }
        }
    }
    found
}

fn after_block_comment(source: &[char], start: usize) -> usize {
    let (mut index, mut depth) = (start + 2, 1);
    while depth > 0 && index < source.len() {
        match source[index..] {
            ['/', '*', ..] => (index, depth) = (index + 2, depth + 1),
            ['*', '/', ..] => (index, depth) = (index + 2, depth - 1),
            _ => index += 1,
        }
    }
    index
}

fn after_string(source: &[char], start: usize) -> usize {
    let mut index = start + 1;
    while index < source.len() && source[index] != '"' {
        index += if source[index] == '\\' { 2 } else { 1 };
    }
    index + 1
}

fn after_character(source: &[char], start: usize) -> usize {
    let mut index = start + 3;
    while index < source.len() && source[index] != '\'' {
        index += 1;
    }
    index + 1
}

fn after_raw_string(source: &[char], start: usize) -> usize {
    let hashes = source[start..]
        .iter()
        .take_while(|&&symbol| symbol == '#')
        .count();
    let mut index = start + hashes + 1;
    while index < source.len() {
        let tail = &source[index + 1..];
        if source[index] == '"' && tail.iter().take(hashes).all(|&symbol| symbol == '#') {
            return index + 1 + hashes;
        }
        index += 1;
    }
    index
}

/// What one module, a file or an inline `mod`, contains as far as imports go.
#[derive(Debug, Default)]
struct Module {
    /// The file that holds it.
    file: String,
    /// Child modules of files.
    children: BTreeSet<String>,
    /// Child modules of files that only tests compile.
    test_children: BTreeSet<String>,
    /// Names that `use` brings in, and where from: as written, not yet resolved.
    imports: BTreeMap<String, Name>,
    /// The names among them that `pub use` passes on.
    passed_on: BTreeSet<String>,
    /// Modules whose names a `use …::*` brings in.
    globs: Vec<Name>,
    /// Every path of at least two segments, and all of those that `use` names.
    paths: BTreeSet<Name>,
}

/// Reads the tokens of one file into its modules.
struct Reader<'a> {
    tokens: Vec<Token>,
    next: usize,
    modules: &'a mut BTreeMap<Name, Module>,
}

impl Reader<'_> {
    fn is_mark(&self, ahead: usize, mark: char) -> bool {
        self.tokens.get(self.next + ahead) == Some(&Token::Mark(mark))
    }

    fn word(&self, ahead: usize) -> Option<&str> {
        match self.tokens.get(self.next + ahead) {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }

    fn is_separator(&self, ahead: usize) -> bool {
        self.tokens.get(self.next + ahead) == Some(&Token::Separator)
    }

    /// Reads the module `name` up to the brace that closes it.
    fn module(&mut self, name: &Name) {
        let mut depth = 0;
        while self.next < self.tokens.len() {
            if self.is_mark(0, '#') && (self.is_mark(1, '[') || self.is_mark(1, '!')) {
                self.attribute(name);
            } else if self.word(0) == Some("pub") && self.is_mark(1, '(') {
                let is_in = self.word(2) == Some("in");
                self.next += if is_in { 0 } else { 4 };
                while is_in && !self.is_mark(0, ')') {
                    self.next += 1;
                }
                if self.word(0) == Some("use") {
                    self.import(name, true);
                }
            } else if self.word(0) == Some("pub") && self.word(1) == Some("use") {
                self.next += 1;
                self.import(name, true);
            } else if self.word(0) == Some("use") && !self.is_mark(1, '<') {
                self.import(name, false);
            } else if self.word(0) == Some("mod") && self.word(1).is_some() {
                self.child(name);
            } else if self.word(0).is_some() && self.is_separator(1) {
                let path = self.path();
                self.modules.get_mut(name).unwrap().paths.insert(path);
            } else {
                depth += i32::from(self.is_mark(0, '{')) - i32::from(self.is_mark(0, '}'));
                self.next += 1;
                if depth < 0 {
                    return;
                }
            }
        }
    }

    /// Skips an attribute, and the item under it if only tests compile that.
    fn attribute(&mut self, name: &Name) {
        let start = self.next;
        while !self.is_mark(0, '[') {
            self.next += 1;
        }
        self.skip_group();
        let body = &self.tokens[start..self.next];
        let word = |text: &str| Token::Word(text.to_owned());
        let is_test = body
            == [
                Token::Mark('#'),
                Token::Mark('['),
                word("cfg"),
                Token::Mark('('),
                word("test"),
                Token::Mark(')'),
                Token::Mark(']'),
            ];
        if !is_test {
            return;
        }
        while self.is_mark(0, '#') {
            self.next += 1;
            self.skip_group();
        }
        if self.word(0) == Some("pub") {
            self.next += 1;
            if self.is_mark(0, '(') {
                self.skip_group();
            }
        }
        if self.word(0) == Some("mod") && self.is_mark(2, ';') {
            let child = self.word(1).unwrap().to_owned();
            self.modules
                .get_mut(name)
                .unwrap()
                .test_children
                .insert(child);
        }
        let is_import = self.word(0) == Some("use");
        let item = [
            "mod",
            "use",
            "fn",
            "struct",
            "enum",
            "impl",
            "trait",
            "type",
            "const",
            "static",
            "unsafe",
            "async",
            "macro_rules",
        ];
        if !self.word(0).is_some_and(|word| item.contains(&word)) {
            return;
        }
        while self.next < self.tokens.len() && !self.is_mark(0, ';') {
            let is_body = self.is_mark(0, '{') && !is_import;
            if self.is_mark(0, '{') || self.is_mark(0, '(') || self.is_mark(0, '[') {
                self.skip_group();
            } else {
                self.next += 1;
            }
            if is_body {
                return;
            }
        }
    }

    /// Skips a bracketed group, whose opening bracket is next.
    fn skip_group(&mut self) {
        let mut depth = 0;
        while self.next < self.tokens.len() {
            match self.tokens[self.next] {
                Token::Mark('(' | '[' | '{') => depth += 1,
                Token::Mark(')' | ']' | '}') => depth -= 1,
                _ => {}
            }
            self.next += 1;
            if depth == 0 {
                return;
            }
        }
    }

    fn child(&mut self, name: &Name) {
        let child = self.word(1).unwrap().to_owned();
        if self.is_mark(2, ';') {
            self.modules.get_mut(name).unwrap().children.insert(child);
            self.next += 3;
        } else if self.is_mark(2, '{') {
            let file = self.modules[name].file.clone();
            let inner = joined(name, &[child]);
            let module = Module {
                file,
                ..Module::default()
            };
            self.modules.insert(inner.clone(), module);
            self.next += 3;
            self.module(&inner);
        } else {
            self.next += 1;
        }
    }

    /// A path of words, of which at least one is next.
    fn path(&mut self) -> Name {
        let mut path = Name::new();
        while let Some(word) = self.word(0).map(str::to_owned) {
            path.push(word);
            self.next += 1;
            if !(self.is_separator(0) && self.word(1).is_some()) {
                break;
            }
            self.next += 1;
        }
        path
    }

    fn import(&mut self, name: &Name, is_passed_on: bool) {
        self.next += 1;
        let mut found = Vec::new();
        self.tree(&Name::new(), &mut found);
        let module = self.modules.get_mut(name).unwrap();
        for (mut path, alias) in found {
            if path.last().is_some_and(|last| last == "*") {
                path.pop();
                module.globs.push(path.clone());
            } else {
                if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
                    path.pop();
                }
                let local = alias.unwrap_or_else(|| path.last().unwrap().clone());
                if is_passed_on {
                    module.passed_on.insert(local.clone());
                }
                module.imports.insert(local, path.clone());
            }
            module.paths.insert(path);
        }
    }

    /// One tree of a `use` item, below `prefix`.
    fn tree(&mut self, prefix: &Name, found: &mut Vec<(Name, Option<String>)>) {
        if self.is_separator(0) {
            self.next += 1;
        }
        let start = joined(prefix, &self.path());
        if self.is_separator(0) {
            self.next += 1;
        }
        if self.is_mark(0, '*') {
            self.next += 1;
            found.push((joined(&start, &["*".to_owned()]), None));
        } else if self.is_mark(0, '{') {
            self.next += 1;
            while !self.is_mark(0, '}') {
                self.tree(&start, found);
                if self.is_mark(0, ',') {
                    self.next += 1;
                }
            }
            self.next += 1;
        } else {
            // `path` has taken `as` neither as a segment nor as a separator.
            let alias = (self.word(0) == Some("as")).then(|| self.word(1).unwrap().to_owned());
            self.next += if alias.is_some() { 2 } else { 0 };
            found.push((start, alias));
        }
    }
}

fn joined(start: &[String], end: &[String]) -> Name {
    [start, end].concat()
}

/// Which file imports from which, and one name for each arrow.
#[derive(Debug, Default)]
struct Arrows {
    between: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    modules: BTreeMap<Name, Module>,
}

impl Arrows {
    /// Follows the `mod` items from `lib.rs` and draws an arrow for every path to another file;
    /// none from or to `lib.rs`, which holds nothing.
    fn draw(sources: &Sources) -> Self {
        let mut modules = BTreeMap::new();
        read_modules(sources, "lib.rs", &Name::new(), &mut modules);
        let mut arrows = Self {
            between: BTreeMap::new(),
            modules,
        };
        for (name, module) in &arrows.modules {
            for path in &module.paths {
                for target in arrows.files_of(name, path) {
                    let is_root = [&module.file, &target].iter().any(|file| *file == "lib.rs");
                    if target != module.file && !is_root {
                        let targets = arrows.between.entry(module.file.clone()).or_default();
                        targets.entry(target).or_default().insert(path.join("::"));
                    }
                }
            }
        }
        arrows
    }

    /// Where `path`, written in the module `name`, starts from: a path from the crate's root.
    fn resolve(&self, name: &Name, path: &[String]) -> Option<Name> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some(joined(name, rest)),
            "super" => {
                let mut base = name.clone();
                let ups = path.iter().take_while(|word| *word == "super").count();
                base.truncate(base.len().checked_sub(ups)?);
                Some(joined(&base, &path[ups..]))
            }
            _ => {
                let module = &self.modules[name];
                if let Some(import) = module.imports.get(first) {
                    let is_itself = import.first() == Some(first);
                    let base = if is_itself {
                        let child = joined(name, import);
                        self.modules
                            .contains_key(&child[..=name.len()])
                            .then_some(child)
                    } else {
                        self.resolve(name, import)
                    };
                    return base.map(|base| joined(&base, rest));
                }
                let child = joined(name, std::slice::from_ref(first));
                if self.modules.contains_key(&child) {
                    return Some(joined(name, path));
                }
                module.globs.iter().find_map(|glob| {
                    let base = self.resolve(name, glob)?;
                    let inside = joined(&base, std::slice::from_ref(first));
                    self.modules
                        .contains_key(&inside)
                        .then(|| joined(&base, path))
                })
            }
        }
    }

    /// The files that `path`, written in the module `name`, leads to: where the name is defined,
    /// and every module whose private import it goes through.
    fn files_of(&self, name: &Name, path: &[String]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = self.resolve(name, path);
        // A chain of imports is never longer than this; a circle of them does not compile.
        for _ in 0..20 {
            let Some(target) = open.take() else { break };
            let depth = (0..=target.len())
                .rev()
                .find(|&depth| self.modules.contains_key(&target[..depth]))
                .unwrap_or(0);
            let module = &self.modules[&target[..depth]];
            let passed = target.get(depth).and_then(|local| {
                let import = module.imports.get(local)?;
                let base = self.resolve(&target[..depth].to_vec(), import)?;
                Some((
                    joined(&base, &target[depth + 1..]),
                    module.passed_on.contains(local),
                ))
            });
            match passed {
                Some((next, is_passed_on)) if next != target => {
                    if !is_passed_on {
                        found.insert(module.file.clone());
                    }
                    open = Some(next);
                }
                _ => {
                    found.insert(module.file.clone());
                }
            }
        }
        found
    }

    /// The circles: sets of at least two files of which each imports, over the others, from each.
    fn circles(&self) -> Vec<Vec<&str>> {
        let mut reach: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for start in self.between.keys() {
            let mut seen = BTreeSet::new();
            let mut open = vec![start.as_str()];
            while let Some(file) = open.pop() {
                for target in self.between.get(file).into_iter().flat_map(BTreeMap::keys) {
                    if seen.insert(target.as_str()) {
                        open.push(target);
                    }
                }
            }
            reach.insert(start, seen);
        }
        let mut done = BTreeSet::new();
        let mut circles = Vec::new();
        for (&start, seen) in &reach {
            if !seen.contains(start) || !done.insert(start) {
                continue;
            }
            let back = |file: &&&str| reach.get(**file).is_some_and(|from| from.contains(start));
            let circle: Vec<&str> = seen.iter().filter(back).copied().collect();
            done.extend(&circle);
            circles.push(circle);
        }
        circles
    }

    /// Arrows to a room that stands earlier in `order`.
    fn upward(&self, order: &[String]) -> Vec<String> {
        let rank = |file: &str| {
            let room = file.split('/').next().unwrap().trim_end_matches(".rs");
            order.iter().position(|known| known == room)
        };
        let mut found = Vec::new();
        for (file, targets) in &self.between {
            for (target, names) in targets {
                let (Some(from), Some(to)) = (rank(file), rank(target)) else {
                    found.push(format!("{file} or {target} is not in a listed room"));
                    continue;
                };
                if to < from {
                    found.push(format!("{file} -> {target}: {names:?}"));
                }
            }
        }
        found
    }
}

/// Reads the file of the module `name` and those of its children.
fn read_modules(sources: &Sources, file: &str, name: &Name, modules: &mut BTreeMap<Name, Module>) {
    let module = Module {
        file: file.to_owned(),
        ..Module::default()
    };
    modules.insert(name.clone(), module);
    let mut reader = Reader {
        tokens: tokens(&sources[file]),
        next: 0,
        modules,
    };
    reader.module(name);
    for child in modules[name].children.clone() {
        let inner = joined(name, &[child]);
        let stem = inner.join("/");
        let file = [format!("{stem}.rs"), format!("{stem}/mod.rs")]
            .into_iter()
            .find(|file| sources.contains_key(file))
            .unwrap_or_else(|| panic!("no file for the module {stem}"));
        read_modules(sources, &file, &inner, modules);
    }
}

fn sources() -> Sources {
    let mut found = Sources::new();
    let src = root().join("src");
    let mut open = vec![src.clone()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path
                    .strip_prefix(&src)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// The rooms in the order of `lib.rs`.
fn rooms(lib: &str) -> Vec<String> {
    lib.lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect()
}

/// Reads made-up sources: pairs of a path below `src` and a text.
fn made_up(files: &[(&str, &str)]) -> Sources {
    let pair = |(file, text): &(&str, &str)| ((*file).to_owned(), (*text).to_owned());
    files.iter().map(pair).collect()
}

/// The arrows between made-up sources, as `from -> to`.
fn drawn(files: &[(&str, &str)]) -> Vec<String> {
    let arrows = Arrows::draw(&made_up(files));
    let one = |(file, targets): (&String, &BTreeMap<String, BTreeSet<String>>)| {
        targets
            .keys()
            .map(|target| format!("{file} -> {target}"))
            .collect::<Vec<_>>()
    };
    arrows.between.iter().flat_map(one).collect()
}

#[test]
fn every_way_to_name_another_file_draws_an_arrow() {
    const LIB: (&str, &str) = ("lib.rs", "pub mod a;\n\npub mod b;\n");
    const A: &[(&str, &str)] = &[
        ("use crate::b::X;", "a.rs -> b.rs"),
        ("pub(crate) use crate::b::X as Y;", "a.rs -> b.rs"),
        ("use super::b::*;", "a.rs -> b.rs"),
        ("use crate::{b::{self, X}};", "a.rs -> b.rs"),
        ("use {super::b::c::X as Z};", "a.rs -> b/c.rs"),
        ("use crate::b::{c::{inner::X}};", "a.rs -> b/c.rs"),
        (
            "use ::std::fmt; fn f() { crate::b::c::f::<u8>() }",
            "a.rs -> b/c.rs",
        ),
        ("mod inner { use super::super::b::X; }", "a.rs -> b.rs"),
        (
            "mod inner { fn f() { super::super::b::c::f() } }",
            "a.rs -> b/c.rs",
        ),
        (
            "fn f() { use crate::b; b::c::f() }",
            "a.rs -> b.rs a.rs -> b/c.rs",
        ),
        ("use crate::*; fn f() { b::f() }", "a.rs -> b.rs"),
        (
            "macro_rules! m { () => { $crate::b::f() } }",
            "a.rs -> b.rs",
        ),
        ("#[cfg(feature = \"x\")] use crate::b::X;", "a.rs -> b.rs"),
        (
            "struct S { #[cfg(test)] x: u8, y: crate::b::X }",
            "a.rs -> b.rs",
        ),
        (
            "#[cfg(test)] fn f<const N: [u8; 1]>() {} use crate::b::X;",
            "a.rs -> b.rs",
        ),
        (
            "#[cfg(test)] use crate::b::{X, Y}; use crate::b::c::X;",
            "a.rs -> b/c.rs",
        ),
        (
            "fn f() { let x = '\"'; crate::b::f(); '\"' }",
            "a.rs -> b.rs",
        ),
        (
            "fn f<'a>(x: &'a str) { \"\\\"\"; crate::b::f() }",
            "a.rs -> b.rs",
        ),
        (
            "fn f() { r#\"\"# ; crate::b::f(); '\\u{22}' }",
            "a.rs -> b.rs",
        ),
        // A name that `b` passes on is an arrow to where it is defined.
        ("use crate::b::Passed;", "a.rs -> b/c.rs"),
        ("use crate::b::passed::X;", "a.rs -> b/c.rs"),
        // One that `b` imports for itself is also an arrow to `b`.
        ("use crate::b::Private;", "a.rs -> b.rs a.rs -> b/c.rs"),
        // No arrows: other crates, comments, strings, visibility, tests.
        ("use std::b::X; use b2::X;", ""),
        ("// use crate::b::X;\n/* /* */ use crate::b::X; */", ""),
        (
            "const X: &str = \"crate::b::X\"; const Y: &str = r#\"\"crate::b::X\"#;",
            "",
        ),
        ("pub(in crate::b) struct X;", ""),
        ("fn f() -> impl Iterator + use<> {}", ""),
        (
            "#[cfg(test)]\nmod tests { use crate::b::X; fn f() { crate::b::f() } }",
            "",
        ),
        ("#[cfg(test)]\npub(crate) fn f() { crate::b::f() }", ""),
    ];
    const B: &str = "pub mod c;
        pub use self::c::{Name as Passed, inner as passed};
        use c::Private;";
    for (text, expected) in A {
        let files = [
            LIB,
            ("a.rs", text),
            ("b.rs", B),
            ("b/c.rs", "pub mod inner { }"),
        ];
        let found = drawn(&files)
            .into_iter()
            .filter(|arrow| arrow.starts_with('a'));
        assert_eq!(found.collect::<Vec<_>>().join(" "), *expected, "{text}");
    }
}

#[test]
fn a_module_file_imports_the_children_that_it_names() {
    let files = [
        ("lib.rs", "pub mod a;"),
        (
            "a/mod.rs",
            "mod x; mod y; #[cfg(test)] mod tests; fn f() { x::f() }",
        ),
        ("a/x.rs", "use super::y::Y;"),
        ("a/y.rs", "use super::f;"),
        ("a/tests.rs", "use super::x::X;"),
    ];
    assert_eq!(
        drawn(&files),
        [
            "a/mod.rs -> a/x.rs",
            "a/x.rs -> a/y.rs",
            "a/y.rs -> a/mod.rs"
        ]
    );
}

#[test]
fn circles_and_upward_arrows_of_made_up_sources_are_found() {
    let files = [
        ("lib.rs", "pub mod a;\n\npub mod b;\n"),
        ("a.rs", "use crate::b::x::X;"),
        (
            "b/mod.rs",
            "pub mod x; pub mod y; pub mod z; pub mod alone;",
        ),
        ("b/x.rs", "use super::y::Y;"),
        ("b/y.rs", "use super::z::Z; use super::alone::A;"),
        ("b/z.rs", "use super::x::X; use crate::a;"),
        ("b/alone.rs", ""),
    ];
    let arrows = Arrows::draw(&made_up(&files));
    assert_eq!(
        arrows.circles(),
        [vec!["a.rs", "b/x.rs", "b/y.rs", "b/z.rs"]]
    );
    let upward = arrows.upward(&rooms(files[0].1));
    assert_eq!(upward, ["b/z.rs -> a.rs: {\"crate::a\"}"]);
    let order = ["b".to_owned(), "a".to_owned()];
    assert_eq!(
        arrows.upward(&order),
        ["a.rs -> b/x.rs: {\"crate::b::x::X\"}"]
    );
    assert_eq!(
        arrows.upward(&order[..1]).len(),
        2,
        "rooms that are not listed"
    );
}

/// The arrows of this crate, with every file that the crate compiles outside tests.
fn drawn_here() -> Arrows {
    let sources = sources();
    let arrows = Arrows::draw(&sources);
    let read: BTreeSet<&str> = arrows
        .modules
        .values()
        .map(|module| &*module.file)
        .collect();
    let test_file = |file: &str| {
        let stem = file.trim_end_matches(".rs").trim_end_matches("/mod");
        let name: Name = stem.split('/').map(str::to_owned).collect();
        let is_test = |depth: usize| {
            let parent = arrows.modules.get(&name[..depth]);
            parent.is_some_and(|parent| parent.test_children.contains(&name[depth]))
        };
        (0..name.len()).any(is_test)
    };
    for file in sources.keys() {
        let is_read = read.contains(file.as_str());
        assert!(
            is_read || file == "main.rs" || test_file(file),
            "{file} was not read"
        );
    }
    let count: usize = arrows.between.values().map(BTreeMap::len).sum();
    assert!(
        count > 4 * read.len(),
        "only {count} arrows between {} files",
        read.len()
    );
    arrows
}

#[test]
fn no_room_imports_from_a_room_above_it() {
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut upward = drawn_here().upward(&rooms(&lib));
    for (from, to) in UPWARD {
        let start = format!("{from} -> {to}: ");
        let before = upward.len();
        upward.retain(|arrow| !arrow.starts_with(&start));
        assert!(
            upward.len() < before,
            "{from} no longer imports from {to}: drop the exception"
        );
    }
    assert_eq!(
        upward,
        Vec::<String>::new(),
        "imports from a room above, by src/lib.rs"
    );
}

#[test]
fn circles_of_files_stay_small() {
    let arrows = drawn_here();
    let circles = arrows.circles();
    for (member, size) in LARGE_CIRCLES {
        let circle = circles.iter().find(|circle| circle.contains(&member));
        let found = circle.map_or(0, Vec::len);
        assert!(
            found > MAX_CIRCLE,
            "the circle of {member} is cut: drop the exception"
        );
        assert!(
            found <= size,
            "the circle of {member} has grown from {size} to {found} files"
        );
        assert!(
            found == size,
            "the circle of {member} has shrunk to {found}: lower its size"
        );
    }
    for circle in circles {
        let is_known = LARGE_CIRCLES
            .iter()
            .any(|(member, _)| circle.contains(member));
        if circle.len() <= MAX_CIRCLE || is_known {
            continue;
        }
        let inside = |file: &&str| circle.contains(file);
        let edges = circle.iter().flat_map(|file| {
            let targets = arrows.between[*file].iter();
            targets
                .filter(|(target, _)| inside(&target.as_str()))
                .map(move |(target, names)| format!("\n  {file} -> {target}: {names:?}"))
        });
        panic!(
            "a circle of {} files:{}",
            circle.len(),
            edges.collect::<String>()
        );
    }
}
