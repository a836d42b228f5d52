//! What a run costs, measured from its first step on.
//!
//! Owns when the system's counters are read. It must not know how costs are shown.

use std::sync::OnceLock;

use crate::error::Result;
use crate::process::{self, EnergyCounters};
use crate::report::cost::{Cost, Price};

/// Counters at the start of a run.
#[derive(Debug)]
pub(super) struct Meter {
    energy: Option<EnergyCounters>,
    price: Option<Price>,
    /// Known once it was asked for: all accounts of a run say the same.
    cost: OnceLock<Cost>,
}

impl Meter {
    /// Notes the counters of now, and what an hour of the machine costs.
    ///
    /// # Errors
    /// A usage error for a text that is not a price.
    pub(super) fn start(price_per_hour: Option<&str>) -> Result<Self> {
        Ok(Self {
            energy: EnergyCounters::now(),
            price: price_per_hour.map(Price::parse).transpose()?,
            cost: OnceLock::new(),
        })
    }

    /// What was used by the whole run: measured when its output is written, and then the same.
    pub(super) fn cost(&self) -> Cost {
        self.cost.get_or_init(|| self.so_far()).clone()
    }

    /// What was used until now.
    pub(super) fn so_far(&self) -> Cost {
        Cost {
            processor_seconds: process::processor_seconds(),
            bytes_moved: process::bytes_moved(),
            joules: self
                .energy
                .as_ref()
                .and_then(|before| before.joules_until(&EnergyCounters::now()?)),
            price: self.price.clone(),
        }
    }
}
