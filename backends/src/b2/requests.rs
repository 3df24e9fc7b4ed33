//! What requests are called in price lists, and what the calls of the contract are at the wire.

use http::Method;

use super::place::Place;
use crate::{
    error::Operation,
    request::{Called, Requests},
    web::client::Call,
};

/// The name of a request. Backblaze's price list has one for S3's calls and its own
/// (<https://www.backblaze.com/cloud-storage/transaction-pricing>); where both do the same, it is S3's.
pub(super) fn name_of(call: &Call) -> &'static str {
    let last = call.url.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or_default();
    let is_api = call.url.path().contains("/b2api/");
    match (is_api, last) {
        (true, "b2_authorize_account") => "b2_authorize_account",
        (true, "b2_get_upload_url") => "b2_get_upload_url",
        (true, "b2_get_upload_part_url") => "b2_get_upload_part_url",
        (true, "b2_get_file_info") => "b2_get_file_info",
        (true, "b2_hide_file") => "b2_hide_file",
        (true, "b2_list_file_names") => "list_objects",
        (true, "b2_list_file_versions") => "list_versions",
        (true, "b2_list_parts") => "list_parts",
        (true, "b2_list_unfinished_large_files") => "list_multipart",
        (true, "b2_list_buckets") => "list_buckets",
        (true, "b2_create_bucket") => "put_bucket",
        (true, "b2_delete_bucket") => "delete_bucket",
        (true, "b2_copy_file") => "copy_object",
        (true, "b2_copy_part") => "upload_part_copy",
        (true, "b2_start_large_file") => "create_multipart",
        (true, "b2_finish_large_file") => "complete_multipart",
        (true, "b2_cancel_large_file") => "abort_multipart",
        (true, "b2_delete_file_version") => "delete_object",
        _ if call.method == Method::HEAD => "head_object",
        _ if call.method == Method::GET => "get_object",
        // An upload URL is the service's own affair.
        _ if call.operation == Operation::PutPart => "upload_part",
        _ if call.operation == Operation::Put => "put_object",
        _ => "other",
    }
}

/// The requests of a call where nothing fails. Upload URLs are as many as transfers are under way together, at most; how
/// many versions `hard_delete` finds of a name nobody knows, and one is counted. Not among them: what asks for a file that
/// no address can name.
pub(super) fn of(place: &Place, call: &Called<'_>) -> Requests {
    match call {
        Called::Put { turn, .. } => call.plainly().and("b2_get_upload_url", u64::from(turn.may_be_fresh())),
        Called::PutPart { turn } => call.plainly().and("b2_get_upload_part_url", u64::from(turn.may_be_fresh())),
        Called::Copy { source, .. } | Called::CopyPart(source) => {
            call.plainly().and("head_object", u64::from(source.version.is_none()))
        }
        Called::SetMetadata => call.plainly().and("head_object", 1),
        Called::Delete(targets) => deletes(place.hard_delete, targets.len() as u64),
        _ => call.plainly(),
    }
}

fn deletes(for_good: bool, names: u64) -> Requests {
    if for_good {
        Requests::default().and("delete_object", names).and("list_versions", names.div_ceil(1000))
    } else {
        Requests::default().and("b2_hide_file", names)
    }
}
