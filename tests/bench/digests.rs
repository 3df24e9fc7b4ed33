//! What the digests of a file cost, each by itself and all together in one reading. By hand:
//!
//! ```sh
//! cargo bench --bench digests -- FILE [ROUNDS]
//! ```
//!
//! The file is read as `hash`, `check` and the index read it; the first round, which may wait for the disk, does not count.
//! Rounds take turns, so that whatever else the machine does meets all alike; of each the median is told: wall time, and the
//! processors' time of all threads, in hundredths of a second.

#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::TryStreamExt;
use sterna::{
    backends::{
        Algorithm, Key, ReadRequest, Store,
        local::{Local, LocalOptions},
    },
    index::{ALL, digests},
};

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    // Without arguments this is only built.
    let Some(file) = arguments.next() else { return };
    let rounds = arguments.next().map_or(5, |rounds| rounds.parse().expect("a number of rounds"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    runtime.block_on(measure(Path::new(&file), rounds));
}

async fn measure(file: &Path, rounds: usize) {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let store: Arc<dyn Store> = Arc::new(Local::new(folder, LocalOptions::default()));
    let key = Key::new(file.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8")).expect("a key");
    let singles: Vec<Vec<Algorithm>> = ALL.iter().map(|algorithm| vec![*algorithm]).collect();
    let tried: Vec<Vec<Algorithm>> = [Vec::new()].into_iter().chain(singles).chain([ALL.to_vec()]).collect();
    let mut taken: Vec<Vec<(Duration, Duration)>> = vec![Vec::new(); tried.len()];
    for round in 0..=rounds {
        for (wanted, taken) in tried.iter().zip(&mut taken) {
            let (started, before) = (Instant::now(), processors());
            read(&store, &key, wanted).await;
            if round > 0 {
                taken.push((started.elapsed(), processors() - before));
            }
        }
    }
    let wall: Vec<Duration> = taken.iter().map(|taken| median(taken.iter().map(|(wall, _)| *wall))).collect();
    for ((wanted, wall), taken) in tried.iter().zip(&wall).zip(&taken) {
        let names: Vec<&str> = wanted.iter().map(|algorithm| algorithm.name()).collect();
        let names = if names.is_empty() { "read only".to_owned() } else { names.join(" + ") };
        let cpu = median(taken.iter().map(|(_, cpu)| *cpu));
        println!("{names:<24} {:.3} s, CPU {:.2} s", wall.as_secs_f64(), cpu.as_secs_f64());
    }
    let [_, singles @ .., together] = &wall[..] else { return };
    let slowest = singles.iter().max().expect("there are digests");
    println!("together / slowest single: {:.2}", together.as_secs_f64() / slowest.as_secs_f64());
    let sum: Duration = singles.iter().sum();
    println!("one after the other / together: {:.2}", sum.as_secs_f64() / together.as_secs_f64());
}

/// What this process has taken of the processors, as proc_pid_stat(5) tells it: user and system, in ticks of 10 ms.
fn processors() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    Duration::from_millis(10 * fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>())
}

async fn read(store: &Arc<dyn Store>, key: &Key, wanted: &[Algorithm]) {
    if wanted.is_empty() {
        let body = store.read(key, ReadRequest::default()).await.expect("a file").body;
        let read = body.chunks().try_fold(0, |sum, chunk| async move { Ok(sum + chunk.len()) });
        assert!(read.await.expect("a file that can be read") > 0, "an empty file measures nothing");
        return;
    }
    let mut entry = store.stat(key, None).await.expect("a file");
    digests(store, &mut entry, wanted).await.expect("a file that can be read");
}

fn median(taken: impl Iterator<Item = Duration>) -> Duration {
    let mut taken: Vec<Duration> = taken.collect();
    taken.sort_unstable();
    taken[taken.len() / 2]
}
