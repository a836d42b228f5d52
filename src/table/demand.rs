//! What reading takes in memory, as far as files say without being read.

/// What reading takes, with one size of portions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demand {
    /// The largest portion once it is decoded, in bytes.
    pub portion_bytes: u64,
    /// What decoding takes alongside it: pages, compressed and not.
    pub decoding_bytes: u64,
    /// Rows of the largest portion, where that is known.
    pub portion_rows: Option<u64>,
    /// The mean length of a row's texts, all of its columns together, where that is known.
    pub text_row_bytes: Option<u64>,
    /// How many portions there are.
    pub portion_count: u64,
    /// The column that takes the most to decode, and the size of its largest page.
    pub largest_page: Option<(String, u64)>,
}

impl Demand {
    /// What reading nothing takes.
    #[must_use]
    pub fn none() -> Self {
        Self {
            portion_rows: Some(0),
            text_row_bytes: Some(0),
            ..Self::default()
        }
    }

    /// What reading one file after the other takes.
    #[must_use]
    pub fn then(self, other: Self) -> Self {
        Self {
            portion_bytes: self.portion_bytes.max(other.portion_bytes),
            decoding_bytes: self.decoding_bytes.max(other.decoding_bytes),
            portion_rows: self
                .portion_rows
                .zip(other.portion_rows)
                .map(|(one, other)| one.max(other)),
            text_row_bytes: self
                .text_row_bytes
                .zip(other.text_row_bytes)
                .map(|(one, other)| one.max(other)),
            portion_count: self.portion_count.saturating_add(other.portion_count),
            largest_page: [self.largest_page, other.largest_page]
                .into_iter()
                .flatten()
                .max_by_key(|(_, bytes)| *bytes),
        }
    }
}
