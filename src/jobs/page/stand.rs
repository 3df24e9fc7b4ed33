//! [`Stand`]: what a page and the metrics know of a job.

use std::sync::Arc;

use crate::jobs::{JobStatus, Month, Saved};

/// A job, how it stands, and what its runs came to this month.
#[derive(Clone)]
pub(super) struct Stand {
    pub job: Arc<Saved>,
    pub status: JobStatus,
    pub month: Month,
}
