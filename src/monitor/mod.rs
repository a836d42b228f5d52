//! What is learned of rows while they pass, and of predictions once the truth is known.
//!
//! Owns the observers of a run, which watch every portion on the worker that scored it and merge
//! what the parts gave, and the mathematics of metrics, distances and estimates. It must not know
//! how facts are named or shown: that is [`crate::report`]'s.

#![cfg_attr(
    test,
    expect(
        clippy::unreadable_literal,
        reason = "numbers as their sources print them"
    )
)]

pub mod against;
pub mod bins;
pub mod calibration;
pub mod compare;
pub mod comparison;
pub mod compat;
pub mod compat_table;
pub mod confusion;
pub mod control;
pub mod curve;
mod distance;
pub mod divergence;
pub mod drift;
pub mod estimate;
pub mod evaluate;
pub mod gate;
#[cfg(test)]
mod golden;
pub mod history;
pub mod infinite;
pub mod interval;
pub mod isotonic;
pub mod judgement;
pub mod known;
pub mod kolmogorov;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod layouts;
pub mod moments;
mod nan;
pub mod number_column;
pub mod overlay;
pub mod paired;
pub mod paired_bootstrap;
pub mod pairs;
pub mod profile;
pub mod profile_table;
pub mod profiling;
pub mod quality;
pub mod rank_bins;
pub mod rank_metrics;
pub mod ranking;
pub mod reading;
pub mod regression;
pub mod scores;
pub mod special;
mod tenths;
pub mod two_sample;
