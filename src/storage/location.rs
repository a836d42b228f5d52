//! Where something is stored: the name by which everything above `storage/` knows a file or a
//! directory of data, of a model or of results.
//!
//! # How to use it
//!
//! - Above `storage/` nothing names `std::path`. A field, a result and an argument that is kept are
//!   a [`Location`] (a clone is cheap); a function that only looks takes `&Location`. The functions
//!   of `storage/` take `impl Into<Location>`, so a string, a path and a `&Location` all do.
//! - A location is built with `Location::from("…")` and [`Location::join`], and asked by
//!   [`Location::parent`], [`Location::file_name`], [`Location::extension`] and their like, which
//!   mean what those of `std::path` mean. It is asked for no file: that is for the functions of
//!   `storage/` ([`super::find()`], [`super::list`], [`super::SharedFile::open`]).
//! - A message takes it as it is (`Error::at_path(&location)`) or by [`Location::display`]; where a
//!   text must lead back to the same location (JSON, tables), [`Location::text`] escapes what is
//!   not UTF-8, and serde writes a string, or an object with its bytes.
//! - [`Location::local_path`] is for `storage/`, for a library or another program that must be
//!   handed a path, and for tests.
//!
//! # Why it is a type
//!
//! Two kinds of storage have locations: the local file system, absolute or relative to the working
//! directory, and the standard streams, `-`. A third kind (`s3://bucket/key`) is another form of
//! this type and another [`super::Store`]; no caller changes. So nothing here touches a disk, and
//! names need not be UTF-8.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::path_text;

/// What to do about a path at which there is nothing.
pub const CHECK_SPELLING: &str =
    "check the spelling; a relative path starts at the working directory";

/// The name of something stored. Two locations are equal, ordered and hashed as their names are,
/// part by part: `a//b`, `a/./b` and `a/b` are one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location(Arc<Path>);

impl Location {
    /// The path in the local file system, for `storage/` itself and for programs and libraries that
    /// open files on their own.
    #[must_use]
    pub fn local_path(&self) -> &Path {
        &self.0
    }

    /// A location below this one, or `below` itself where that is absolute.
    #[must_use]
    pub fn join(&self, below: impl AsRef<OsStr>) -> Self {
        self.0.join(below.as_ref()).into()
    }

    /// The location that holds this one; empty for a bare name, none for a root and for nothing.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.parent().map(Self::from)
    }

    /// The directory that holds this one: for a bare name that is `.`.
    #[must_use]
    pub fn directory(&self) -> Self {
        directory_of(&self.0).into()
    }

    /// The last name, if there is one.
    #[must_use]
    pub fn file_name(&self) -> Option<&OsStr> {
        self.0.file_name()
    }

    /// The last name without its extension.
    #[must_use]
    pub fn file_stem(&self) -> Option<&OsStr> {
        self.0.file_stem()
    }

    /// What follows the last dot of the last name.
    #[must_use]
    pub fn extension(&self) -> Option<&OsStr> {
        self.0.extension()
    }

    /// The same with another extension, or with none for an empty one.
    #[must_use]
    pub fn with_extension(&self, extension: impl AsRef<OsStr>) -> Self {
        self.0.with_extension(extension).into()
    }

    /// The same with another last name.
    #[must_use]
    pub fn with_file_name(&self, name: impl AsRef<OsStr>) -> Self {
        self.0.with_file_name(name).into()
    }

    /// Whether it is `base` or lies below it, judged by the names.
    #[must_use]
    pub fn starts_with(&self, base: impl AsRef<OsStr>) -> bool {
        self.0.starts_with(base.as_ref())
    }

    /// Whether its last names are those of `end`.
    #[must_use]
    pub fn ends_with(&self, end: impl AsRef<OsStr>) -> bool {
        self.0.ends_with(end.as_ref())
    }

    /// The way from `base` to here; none if it does not lie below.
    #[must_use]
    pub fn strip_prefix(&self, base: impl AsRef<OsStr>) -> Option<Self> {
        self.0.strip_prefix(base.as_ref()).ok().map(Self::from)
    }

    /// The names from the outermost on; `/` is one.
    #[must_use]
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &OsStr> {
        self.0.iter()
    }

    /// Itself, what holds it, and so on up.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        self.0.ancestors().map(Self::from)
    }

    /// Whether it stands for standard input, or as an output for standard output: `-`. A file of
    /// that name is `./-`.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.0.as_os_str() == "-"
    }

    /// What to do about a location at which there is nothing.
    #[must_use]
    pub fn nothing_there(&self) -> &'static str {
        if self.0.is_symlink() {
            "it is a symbolic link to something that does not exist: correct the link, or name the \
             file itself"
        } else {
            CHECK_SPELLING
        }
    }

    /// Whether it is the same from every working directory.
    #[must_use]
    pub fn is_absolute(&self) -> bool {
        self.0.is_absolute() || self.is_stream()
    }

    /// Whether it depends on the working directory.
    #[must_use]
    pub fn is_relative(&self) -> bool {
        !self.is_absolute()
    }

    /// Whether it names nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.as_os_str().is_empty()
    }

    /// Whether it leads nowhere but down: neither absolute nor with `..`. Names of `.` do no harm.
    #[must_use]
    pub fn leads_down(&self) -> bool {
        self.0
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
    }

    /// Whether it is spelled as names and single `/` between them, with no `.` and no `..`.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let is_name = |part| matches!(part, Component::Normal(_));
        let name = self.0.as_os_str().as_encoded_bytes();
        let name_count = name.split(|byte| *byte == b'/').count();
        self.0.components().all(is_name) && self.0.components().count() == name_count
    }

    /// The same without repeated `/` and names of `.`.
    #[must_use]
    pub fn tidied(&self) -> Self {
        let is_kept = |part: &Component<'_>| *part != Component::CurDir;
        let tidied: PathBuf = self.0.components().filter(is_kept).collect();
        tidied.into()
    }

    /// The name, if it is UTF-8.
    #[must_use]
    pub fn to_str(&self) -> Option<&str> {
        self.0.to_str()
    }

    /// The name; what is not UTF-8 is replaced.
    #[must_use]
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        self.0.to_string_lossy()
    }

    /// The name as the system has it.
    #[must_use]
    pub fn as_os_str(&self) -> &OsStr {
        self.0.as_os_str()
    }

    /// The name for a message; what is not UTF-8 is replaced.
    #[must_use]
    pub fn display(&self) -> impl fmt::Display {
        self.0.display()
    }

    /// The name as a text that no other location has: what is not UTF-8 is written `\xe9`.
    #[must_use]
    pub fn text(&self) -> String {
        path_text::text(&self.0)
    }
}

/// The directory that holds a name; the working directory for a bare one.
#[must_use]
pub(super) fn directory_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

impl Default for Location {
    fn default() -> Self {
        Self::from("")
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AsRef<OsStr> for Location {
    fn as_ref(&self) -> &OsStr {
        self.as_os_str()
    }
}

#[cfg(test)]
impl AsRef<Path> for Location {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

/// Whatever the system or the user calls a location.
macro_rules! from {
    ($($name:ty),*) => {$(
        impl From<$name> for Location {
            fn from(name: $name) -> Self {
                Self(Arc::from(Path::new(&name)))
            }
        }
    )*};
}

from!(
    &str, &&str, &String, String, &OsStr, &OsString, OsString, &Path
);

impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Self {
        Self(path.into())
    }
}

impl From<&PathBuf> for Location {
    fn from(path: &PathBuf) -> Self {
        path.as_path().into()
    }
}

impl From<&Location> for Location {
    fn from(location: &Location) -> Self {
        location.clone()
    }
}

impl<T: AsRef<OsStr>> FromIterator<T> for Location {
    fn from_iter<I: IntoIterator<Item = T>>(names: I) -> Self {
        let mut path = PathBuf::new();
        for name in names {
            path.push(name.as_ref());
        }
        path.into()
    }
}

impl PartialEq<str> for Location {
    fn eq(&self, name: &str) -> bool {
        *self.0 == *Path::new(name)
    }
}

impl PartialEq<&str> for Location {
    fn eq(&self, name: &&str) -> bool {
        self == *name
    }
}

#[cfg(test)]
impl PartialEq<PathBuf> for Location {
    fn eq(&self, path: &PathBuf) -> bool {
        *self.0 == **path
    }
}

#[cfg(test)]
impl PartialEq<Path> for Location {
    fn eq(&self, path: &Path) -> bool {
        *self.0 == *path
    }
}

impl Serialize for Location {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        path_text::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Location {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        path_text::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_location_is_taken_apart_and_put_together_as_a_path_is() {
        let location = Location::from("in/2026/rows.csv.gz");
        assert_eq!(location.parent().unwrap(), "in/2026");
        assert_eq!(location.file_name().unwrap(), "rows.csv.gz");
        assert_eq!(location.file_stem().unwrap(), "rows.csv");
        assert_eq!(location.extension().unwrap(), "gz");
        assert_eq!(location.with_extension(""), "in/2026/rows.csv");
        assert_eq!(location.with_file_name("b"), "in/2026/b");
        assert_eq!(location.strip_prefix("in").unwrap(), "2026/rows.csv.gz");
        assert_eq!(location.strip_prefix("i"), None);
        assert_eq!(location.join("/b"), "/b");
        assert_eq!(location.ancestors().count(), 4);
        assert_eq!(location.names().collect::<Location>(), location);
        assert_eq!(Location::from("rows.csv").directory(), ".");
        assert_eq!(Location::from("rows.csv").parent().unwrap(), "");
        assert_eq!(Location::from("/").parent(), None);
        assert_eq!(Location::from("a//b/."), Location::from("a/b"));
        assert!(Location::default().is_empty());
    }

    #[test]
    fn what_leads_out_of_a_directory_and_what_is_oddly_spelled_is_known() {
        for (name, leads_down, is_plain) in [
            ("a/b", true, true),
            ("a", true, true),
            ("./a", true, false),
            ("a//b", true, false),
            ("a/", true, false),
            ("a/./b", true, false),
            ("", true, false),
            ("../a", false, false),
            ("a/../b", false, false),
            ("/a", false, false),
        ] {
            let location = Location::from(name);
            assert_eq!(location.leads_down(), leads_down, "{name}");
            assert_eq!(location.is_plain(), is_plain, "{name}");
        }
        let tidied = Location::from("./a//b/./c/").tidied();
        assert_eq!(tidied.as_os_str(), "a/b/c");
    }

    #[test]
    fn a_location_is_read_back_from_json_whatever_its_bytes() {
        for odd in [b"plain".as_slice(), b"caf\xe9", b"", "Größe".as_bytes()] {
            let location = Location::from(OsStr::from_bytes(odd));
            let json = serde_json::to_string(&Some(vec![location.clone()])).unwrap();
            let read: Option<Vec<Location>> = serde_json::from_str(&json).unwrap();
            assert_eq!(read, Some(vec![location]), "{json}");
        }
        let json = serde_json::to_string(&Location::from("a/b")).unwrap();
        assert_eq!(json, "\"a/b\"", "as paths were written before");
        let odd = Location::from(OsStr::from_bytes(b"caf\xe9"));
        assert_eq!(odd.text(), "caf\\xe9");
        assert_eq!(odd.display().to_string(), "caf\u{fffd}");
    }
}
