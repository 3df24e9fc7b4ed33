//! One big object by eight hands, 16 MiB at a time.

use std::{
    collections::BTreeSet,
    fs::File,
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use futures::stream;
use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::{
    Hash,
    wire::{Bucket, Result, element, full, streamed},
};

const PART: u64 = 16 << 20;
const HANDS: usize = 8;
const BLOCK: u64 = 512 << 10;

/// A digest that grows.
enum Growing {
    None,
    Md5(Box<Md5>),
    Sha256(Box<Sha256>),
}

impl Growing {
    fn new(hash: Hash) -> Self {
        match hash {
            Hash::None => Self::None,
            Hash::Md5 => Self::Md5(Box::default()),
            Hash::Sha256 => Self::Sha256(Box::default()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::None => {}
            Self::Md5(md5) => md5.update(bytes),
            Self::Sha256(sha256) => sha256.update(bytes),
        }
    }
}

fn each_block(file: &File, start: u64, end: u64, mut visit: impl FnMut(&[u8])) -> Result<()> {
    let mut buffer = vec![0; usize::try_from(BLOCK)?];
    let mut at = start;
    while at < end {
        let want = usize::try_from(BLOCK.min(end - at))?;
        file.read_exact_at(&mut buffer[..want], at)?;
        visit(&buffer[..want]);
        at += want as u64;
    }
    Ok(())
}

/// The object, which is the only one of the bucket, into a file below `folder`.
pub async fn down(bucket: Bucket, folder: &str, hash: Hash) -> Result<()> {
    let (key, size) = bucket.list().await?.into_iter().next().ok_or("an empty bucket")?;
    let path = Path::new(folder).join(&key);
    std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
    let file = Arc::new(File::options().read(true).write(true).create(true).truncate(true).open(path)?);
    file.set_len(size)?;
    let (done, arrived) = mpsc::channel::<u64>();
    let reading = Arc::clone(&file);
    let hashing = std::thread::spawn(move || -> Result<()> {
        let mut growing = Growing::new(hash);
        let (mut waiting, mut at) = (BTreeSet::new(), 0);
        while let Ok(part) = arrived.recv() {
            waiting.insert(part);
            while hash != Hash::None && waiting.remove(&at) {
                each_block(&reading, at, size.min(at + PART), |block| growing.update(block))?;
                at += PART;
            }
        }
        Ok(())
    });
    let (bucket, next) = (Arc::new(bucket), Arc::new(AtomicU64::new(0)));
    let hands = (0..HANDS).map(|_| {
        let (bucket, file, key, next, done) =
            (Arc::clone(&bucket), Arc::clone(&file), key.clone(), Arc::clone(&next), done.clone());
        tokio::spawn(async move {
            loop {
                let start = next.fetch_add(PART, Ordering::Relaxed);
                if start >= size {
                    return Result::Ok(());
                }
                let mut headers = HeaderMap::new();
                headers.insert("range", format!("bytes={start}-{}", size.min(start + PART) - 1).parse()?);
                let answer = bucket.send((Method::GET, &key, ""), headers, None, (0, full(Bytes::new()))).await?;
                let mut body = answer.into_body();
                let mut at = start;
                while let Some(frame) = body.frame().await {
                    if let Ok(data) = frame?.into_data() {
                        file.write_all_at(&data, at)?;
                        at += data.len() as u64;
                    }
                }
                done.send(start)?;
            }
        })
    });
    let hands: Vec<_> = hands.collect();
    drop(done);
    for hand in hands {
        hand.await??;
    }
    hashing.join().map_err(|_| "a thread fell over")?
}

/// The only file below `folder`, in parts.
pub async fn up(folder: &str, bucket: Bucket, hash: Hash) -> Result<()> {
    let (key, path) = super::small::walk(folder)?.into_iter().next().ok_or("an empty folder")?;
    let file = Arc::new(File::open(path)?);
    let size = file.metadata()?.len();
    let sums = if hash == Hash::None { Vec::new() } else { checksums(&file, size, hash)? };
    let mut headers = HeaderMap::new();
    if !sums.is_empty() {
        headers.insert("x-amz-checksum-algorithm", "CRC32C".parse()?);
    }
    let (_, begun) = bucket.ask((Method::POST, &key, "uploads="), headers).await?;
    let id = element(std::str::from_utf8(&begun)?, "UploadId").to_owned();
    let (bucket, next, sums) = (Arc::new(bucket), Arc::new(AtomicU64::new(0)), Arc::new(sums));
    let hands = (0..HANDS).map(|_| {
        let (bucket, file, key, id, next, sums) =
            (Arc::clone(&bucket), Arc::clone(&file), key.clone(), id.clone(), Arc::clone(&next), Arc::clone(&sums));
        tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let start = next.fetch_add(PART, Ordering::Relaxed);
                if start >= size {
                    return Result::Ok(mine);
                }
                let (end, index) = (size.min(start + PART), start / PART);
                let mut headers = HeaderMap::new();
                if let Some(sum) = sums.get(usize::try_from(index)?) {
                    headers.insert("x-amz-checksum-crc32c", STANDARD.encode(sum.to_be_bytes()).parse()?);
                }
                let file = Arc::clone(&file);
                let blocks = stream::unfold(start, move |at| {
                    let file = Arc::clone(&file);
                    async move {
                        let want = usize::try_from(BLOCK.min(end - at)).unwrap_or(0);
                        if want == 0 {
                            return None;
                        }
                        let mut block = BytesMut::zeroed(want);
                        let read = file.read_exact_at(&mut block, at).map(|()| block.freeze());
                        Some((read, at + want as u64))
                    }
                });
                let query = format!("partNumber={}&uploadId={id}", index + 1);
                let answer =
                    bucket.send((Method::PUT, &key, &query), headers, None, (end - start, streamed(blocks))).await?;
                let etag = answer.headers().get("etag").ok_or("no ETag")?.to_str()?.to_owned();
                answer.into_body().collect().await?;
                mine.push((index + 1, etag));
            }
        })
    });
    let hands: Vec<_> = hands.collect();
    let mut parts = Vec::new();
    for hand in hands {
        parts.extend(hand.await??);
    }
    parts.sort();
    let body = completed(&parts, &sums);
    bucket.tell((Method::POST, &key, &format!("uploadId={id}")), HeaderMap::new(), None, body.into()).await?;
    Ok(())
}

/// The whole read once in front of the sending, with a CRC32C for each part.
fn checksums(file: &File, size: u64, hash: Hash) -> Result<Vec<u32>> {
    let (mut sums, mut growing, mut start) = (Vec::new(), Growing::new(hash), 0);
    while start < size {
        let mut crc = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
        each_block(file, start, size.min(start + PART), |block| {
            growing.update(block);
            crc.update(block);
        })?;
        sums.push(u32::try_from(crc.finalize())?);
        start += PART;
    }
    Ok(sums)
}

/// What completes an upload; a checksum that was announced has to be repeated.
fn completed(parts: &[(u64, String)], sums: &[u32]) -> String {
    let part = |(at, (number, etag)): (usize, &(u64, String))| {
        let sum = sums.get(at).map(|sum| STANDARD.encode(sum.to_be_bytes()));
        let sum = sum.map(|sum| format!("<ChecksumCRC32C>{sum}</ChecksumCRC32C>")).unwrap_or_default();
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>{sum}</Part>")
    };
    let listed: String = parts.iter().enumerate().map(part).collect();
    format!("<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>")
}
