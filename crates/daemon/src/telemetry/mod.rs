//! What the daemon tells about itself: logs and metrics.

mod catalogue;
mod funnel;
mod logs;
mod metrics;

pub use catalogue::{CATALOGUE, Kind, Spec, reference};
pub use funnel::FunnelMetrics;
pub use logs::{LogForm, init};
pub use metrics::{Metrics, Stage};
