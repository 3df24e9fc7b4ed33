//! Multi-part `ETag`s of S3, recomputed: nobody tells how large the parts were, but clients cut in few ways.

use sterna_backends::{Algorithm, Digest, digest::Hasher};

const MIB: u64 = 1024 * 1024;

/// Sizes of parts that clients use by default or are told to use, in MiB: rclone 5, the AWS CLI and boto3 8, sterna and
/// minio-go 16, s3cmd 15, s5cmd 50; the others are what people set.
const USUAL: [u64; 17] = [5, 6, 8, 10, 15, 16, 20, 25, 32, 50, 64, 100, 128, 200, 256, 512, 1024];

/// Ways of cutting that are tried: each costs an MD5 of the whole.
const MOST: usize = 4;

/// The part sizes by which `size` bytes may have become `count` parts, in bytes; at least one.
pub(super) fn part_sizes(size: u64, count: u32) -> Vec<u64> {
    let count = u64::from(count.max(1));
    let fewest = size.div_ceil(count).max(1);
    // Clients that make their parts larger for an object of many round up to whole MiB; some cut evenly.
    let usual = USUAL.into_iter().map(|mib| mib * MIB).chain([fewest.div_ceil(MIB) * MIB, fewest]);
    let mut sizes: Vec<u64> = usual.filter(|part| size.div_ceil(*part).max(1) == count).collect();
    sizes.push(fewest);
    let mut seen = Vec::new();
    sizes.retain(|part| {
        let new = !seen.contains(part) && seen.len() < MOST;
        if new {
            seen.push(*part);
        }
        new
    });
    sizes
}

/// Digests of parts for several part sizes, in one pass.
pub(super) struct Cuts(Vec<Cut>);

struct Cut {
    part_size: u64,
    left: u64,
    part: Hasher,
    whole: Hasher,
    parts: u32,
}

impl Cuts {
    pub(super) fn new(part_sizes: &[u64]) -> Self {
        let cut =
            |part_size: &u64| Cut { part_size: *part_size, left: *part_size, part: md5(), whole: md5(), parts: 0 };
        Self(part_sizes.iter().map(cut).collect())
    }

    /// `bytes` come next.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.iter_mut().for_each(|cut| cut.update(bytes));
    }

    /// One digest a part size, in order.
    pub(super) fn finish(self) -> Vec<Digest> {
        self.0.into_iter().map(Cut::finish).collect()
    }
}

impl Cut {
    fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let take = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            self.part.update(&bytes[..take]);
            self.left -= take as u64;
            bytes = &bytes[take..];
            if self.left == 0 {
                self.end_part();
            }
        }
    }

    fn end_part(&mut self) {
        let part = std::mem::replace(&mut self.part, md5());
        if let Some(md5) = part.finish().md5() {
            self.whole.update(&md5);
        }
        self.parts += 1;
        self.left = self.part_size;
    }

    fn finish(mut self) -> Digest {
        if self.left < self.part_size || self.parts == 0 {
            self.end_part();
        }
        let md5 = self.whole.finish().md5().unwrap_or_default();
        Digest::Parts { md5, parts: self.parts }
    }
}

fn md5() -> Hasher {
    Hasher::new(&[Algorithm::Md5])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_cuts_are_found_and_no_others() {
        assert_eq!(part_sizes(13_000_000, 3)[0], 5 * MIB);
        assert_eq!(part_sizes(13_000_000, 2), [8 * MIB, 10 * MIB, 7 * MIB, 6_500_000]);
        assert_eq!(part_sizes(0, 1), [5 * MIB, 6 * MIB, 8 * MIB, 10 * MIB]);
        // 100 GB in parts of 5 MiB would be too many for S3; a client that doubles ends at 10 MiB.
        assert_eq!(part_sizes(100_000_000_000, 9537)[0], 10 * MIB);
        assert_eq!(part_sizes(10, 10_000), [1]);
    }

    #[test]
    fn digests_are_those_of_the_definition() {
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html: the MD5 of the
        // parts' MD5s, computed here with another program for "abcdefgh" cut by 3.
        let mut cuts = Cuts::new(&[3, 8, 100]);
        for chunk in [&b"abcd"[..], b"", b"efgh"] {
            cuts.update(chunk);
        }
        let found: Vec<String> = cuts.finish().iter().map(Digest::hex).collect();
        assert_eq!(found, WANTED);
    }

    const WANTED: [&str; 3] = [
        "aeeee0d2676cb87233c9a93915c7631a-3",
        "0076f5a4a003c02006afccdb09310a22-1",
        "0076f5a4a003c02006afccdb09310a22-1",
    ];
}
