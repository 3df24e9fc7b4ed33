use std::fs;

use super::*;
use crate::{Algorithm, Digest, Part, PartRequest, Timestamp, UploadToken};

const SIZE: usize = 3_000_000;
const PART: usize = 1_000_000;

fn content() -> Vec<u8> {
    (0..SIZE).map(|number| (number / 7) as u8).collect()
}

fn request() -> PutRequest {
    PutRequest { size: Some(SIZE as u64), modified: Some(Timestamp::from_nanos(1234)), ..PutRequest::default() }
}

async fn send(store: &Local, token: &UploadToken, number: u32) -> Result<Part> {
    let offset = (number as usize - 1) * PART;
    let body = content()[offset..offset + PART].to_vec().into();
    store.put_part(token, &PartRequest::new(number, offset as u64), body).await
}

#[tokio::test]
async fn parts_in_any_order_make_the_object() {
    let (directory, store) = fresh();
    let token = store.begin(&key("d/big"), &request()).await.unwrap();
    let mut parts = Vec::new();
    for number in [3, 1] {
        parts.push(send(&store, &token, number).await.unwrap());
        assert_eq!(all(&store).await, [""; 0], "nothing is seen before the end");
    }
    let middle = content()[PART..2 * PART].to_vec();
    let chunks: Vec<_> = middle.chunks(70_000).map(|chunk| Ok(chunk.to_vec().into())).collect();
    let body = Body::stream(Some(PART as u64), futures::stream::iter(chunks).boxed());
    parts.push(store.put_part(&token, &PartRequest::new(2, PART as u64), body).await.unwrap());
    parts.sort_by_key(|part| part.number);
    assert!(parts.iter().all(|part| part.digests.get(Algorithm::Crc32c).is_some()));
    let entry = store.complete(&token, &request(), &parts).await.unwrap();
    assert_eq!((entry.size, entry.modified), (Some(SIZE as u64), Some(Timestamp::from_nanos(1234))));
    assert_eq!(get(&store, "d/big").await.unwrap(), content());
    assert_eq!(on_disk(directory.path()), ["d/", "d/big"]);
    assert_eq!(kind(store.parts(&token).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn another_process_goes_on_with_the_parts_that_are_right() {
    let (directory, first) = fresh();
    let token = first.begin(&key("d/big"), &request()).await.unwrap();
    for number in [1, 2, 3] {
        send(&first, &token, number).await.unwrap();
    }
    drop(first);

    let path = directory.path().join(&token.id);
    let mut damaged = fs::read(&path).unwrap();
    damaged[PART + 5] ^= 1;
    fs::write(&path, damaged).unwrap();

    let second = Local::new(directory.path(), quick());
    let found = second.uploads("d/").await.unwrap();
    assert_eq!(found.iter().map(|upload| &upload.token).collect::<Vec<_>>(), [&token]);
    assert!(found[0].started.is_some());
    assert!(second.uploads("e").await.unwrap().is_empty());
    let mut parts = second.parts(&token).await.unwrap();
    assert_eq!(parts.iter().map(|part| part.number).collect::<Vec<_>>(), [1, 3]);
    parts.insert(1, send(&second, &token, 2).await.unwrap());
    second.complete(&token, &request(), &parts).await.unwrap();
    assert_eq!(get(&second, "d/big").await.unwrap(), content());
    assert!(second.uploads("").await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_not_whole_is_not_completed() {
    let (_directory, store) = fresh();
    let token = store.begin(&key("big"), &request()).await.unwrap();
    let mut parts = Vec::new();
    for number in [1, 3] {
        parts.push(send(&store, &token, number).await.unwrap());
    }
    assert_eq!(kind(store.complete(&token, &request(), &parts).await), ErrorKind::Integrity);
    let mut told = parts[0].clone();
    told.number = 2;
    assert_eq!(
        kind(store.complete(&token, &request(), &[parts[0].clone(), told, parts[1].clone()]).await),
        ErrorKind::Integrity
    );
    let second = send(&store, &token, 2).await.unwrap();
    parts.insert(1, second);

    // A part that is sent again and does not arrive takes the earlier one with it.
    let failed = store.put_part(&token, &PartRequest::new(2, PART as u64), failing(3, 300_000)).await;
    assert_eq!(kind(failed), ErrorKind::Unavailable);
    assert_eq!(kind(store.complete(&token, &request(), &parts).await), ErrorKind::Integrity);
    parts[1] = send(&store, &token, 2).await.unwrap();

    let wrong = PutRequest { digests: [Digest::Crc32c(1)].into_iter().collect(), ..request() };
    assert_eq!(kind(store.complete(&token, &wrong, &parts).await), ErrorKind::Integrity);
    let right =
        PutRequest { digests: [Digest::Crc32c(crate::digest::crc32c(&content()))].into_iter().collect(), ..request() };
    store.complete(&token, &right, &parts).await.unwrap();
    assert_eq!(get(&store, "big").await.unwrap(), content());
}

#[tokio::test]
async fn parts_are_checked_when_they_are_written() {
    let (_directory, store) = fresh();
    let token = store.begin(&key("big"), &request()).await.unwrap();
    let wrong = PartRequest { digests: [Digest::Md5([0; 16])].into_iter().collect(), ..PartRequest::new(1, 0) };
    for body in [Body::from(vec![1; 10]), stream(1, 10)] {
        assert_eq!(kind(store.put_part(&token, &wrong, body).await), ErrorKind::Integrity);
    }
    let beyond = store.put_part(&token, &PartRequest::new(1, SIZE as u64 - 5), vec![1; 10].into()).await;
    assert_eq!(kind(beyond), ErrorKind::BadRequest);
    assert!(store.parts(&token).await.unwrap().is_empty());
    assert_eq!(kind(store.begin(&key("big"), &PutRequest::default()).await), ErrorKind::BadRequest);
}

#[tokio::test]
async fn what_is_given_up_is_gone_and_what_was_left_behind_is_found() {
    let (directory, store) = fresh();
    let token = store.begin(&key("d/big"), &request()).await.unwrap();
    send(&store, &token, 1).await.unwrap();
    store.abort(&token).await.unwrap();
    store.abort(&token).await.unwrap();
    assert_eq!(kind(send(&store, &token, 1).await), ErrorKind::NotFound);
    assert_eq!(on_disk(directory.path()), ["d/"]);

    // A put that was killed, and a ledger whose content is gone.
    fs::write(directory.path().join("d/.．.sterna-abcdefgh.part"), b"half").unwrap();
    fs::write(directory.path().join(".x.sterna-abcdefgh.part.done"), b"").unwrap();
    assert_eq!(all(&store).await, [""; 0]);
    let found = store.uploads("").await.unwrap();
    assert_eq!(found.iter().map(|upload| &*upload.token.key).collect::<Vec<_>>(), ["d/.", "x"]);
    for upload in found {
        assert_eq!(kind(store.parts(&upload.token).await), ErrorKind::NotFound);
        store.abort(&upload.token).await.unwrap();
    }
    assert_eq!(on_disk(directory.path()), ["d/"]);
}

#[tokio::test]
async fn an_object_without_bytes_can_have_parts_too() {
    let (_directory, store) = fresh();
    let request = PutRequest { size: Some(0), if_absent: true, ..PutRequest::default() };
    let token = store.begin(&key("empty"), &request).await.unwrap();
    let part = store.put_part(&token, &PartRequest::new(1, 0), Body::empty()).await.unwrap();
    store.complete(&token, &request, std::slice::from_ref(&part)).await.unwrap();
    assert_eq!(get(&store, "empty").await.unwrap(), b"");
    let token = store.begin(&key("empty"), &request).await.unwrap();
    let part = store.put_part(&token, &PartRequest::new(1, 0), Body::empty()).await.unwrap();
    assert_eq!(kind(store.complete(&token, &request, &[part]).await), ErrorKind::Exists);
}
