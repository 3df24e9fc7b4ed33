//! Places -> how fast they are: measured now, on their own objects, within a budget that is known first.
//!
//! 1. [`Sampler`] picks objects while their places are listed; pure.
//! 2. [`program()`] says for one place all that will be read and written; pure. [`Program::estimate`] is what that costs.
//! 3. [`run()`] carries the programs out, step by step, each step at every place before the next: what the network does
//!    meanwhile, it does to all of them.
//! 4. [`Reserve`] is the folder that is written to. It is swept at the end, and by the next run where there was none.

mod program;
mod reserve;
mod run;
mod sample;
mod speed;
mod step;

pub use program::{Estimate, Program, Slice, program};
pub use reserve::{RESERVED, Reserve};
pub use run::{Subject, run};
pub use sample::{Pick, Sample, Sampler};
pub use speed::{Latencies, Speed, Step, Task};
pub use step::Stop;
