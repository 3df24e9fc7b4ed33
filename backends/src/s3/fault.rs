//! What S3 says when it refuses, as errors of the contract. Kinds come from codes and statuses, never from texts.

use std::{fmt, time::Duration};

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use http::{HeaderMap, StatusCode, header};

use super::wire::{transport::NoAnswer, xml};
use crate::{
    error::{Error, ErrorKind, Operation},
    web::status,
};

/// Codes that say more than their status
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>).
static CODES: &[(&str, ErrorKind)] = &[
    ("AccessDenied", ErrorKind::Denied),
    ("AccountProblem", ErrorKind::Denied),
    ("AllAccessDisabled", ErrorKind::Denied),
    ("AuthorizationHeaderMalformed", ErrorKind::Config),
    ("BadDigest", ErrorKind::Integrity),
    ("BucketAlreadyExists", ErrorKind::Exists),
    ("BucketAlreadyOwnedByYou", ErrorKind::Exists),
    ("BucketNotEmpty", ErrorKind::Exists),
    ("ConditionalRequestConflict", ErrorKind::Unavailable),
    ("EntityTooLarge", ErrorKind::Unsupported),
    ("ExpiredToken", ErrorKind::Denied),
    ("IncompleteBody", ErrorKind::Unavailable),
    ("InternalError", ErrorKind::Unavailable),
    ("InvalidAccessKeyId", ErrorKind::Denied),
    ("InvalidDigest", ErrorKind::Integrity),
    ("InvalidObjectState", ErrorKind::Unsupported),
    ("InvalidSecurity", ErrorKind::Denied),
    ("InvalidToken", ErrorKind::Denied),
    ("KeyTooLongError", ErrorKind::Unsupported),
    ("MethodNotAllowed", ErrorKind::Unsupported),
    ("MissingSecurityHeader", ErrorKind::Denied),
    ("NoSuchBucket", ErrorKind::NoSuchContainer),
    ("NoSuchKey", ErrorKind::NotFound),
    ("NoSuchUpload", ErrorKind::NotFound),
    ("NoSuchVersion", ErrorKind::NotFound),
    ("NotImplemented", ErrorKind::Unsupported),
    ("OperationAborted", ErrorKind::Unavailable),
    ("PermanentRedirect", ErrorKind::Config),
    ("PreconditionFailed", ErrorKind::Precondition),
    ("QuotaExceeded", ErrorKind::Full),
    ("RequestLimitExceeded", ErrorKind::Throttled),
    ("RequestTimeTooSkewed", ErrorKind::Denied),
    ("RequestTimeout", ErrorKind::Timeout),
    ("ServiceUnavailable", ErrorKind::Unavailable),
    ("SignatureDoesNotMatch", ErrorKind::Denied),
    ("SlowDown", ErrorKind::Throttled),
    ("Throttling", ErrorKind::Throttled),
    ("ThrottlingException", ErrorKind::Throttled),
    ("TooManyRequests", ErrorKind::Throttled),
    ("XAmzContentChecksumMismatch", ErrorKind::Integrity),
    ("XAmzContentSHA256Mismatch", ErrorKind::Integrity),
    ("XMinioAdminBucketQuotaExceeded", ErrorKind::Full),
    ("XMinioStorageFull", ErrorKind::Full),
];

/// An answer that is a refusal.
#[derive(Clone, Debug, Default)]
pub(super) struct Fault {
    /// HTTP status.
    pub status: u16,
    /// `NoSuchKey`, …; empty where the answer had no body.
    pub code: String,
    /// What the server says to people.
    pub message: String,
    /// The region the bucket lies in, where the answer names it.
    pub region: Option<String>,
    /// What the server calls itself.
    pub server: Option<String>,
    /// What the provider's support asks for.
    pub request_id: Option<String>,
    /// How long we are to wait.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// From an answer's head and body.
    pub fn new(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let parsed = xml::fault(body).unwrap_or_default();
        Self {
            status: status.as_u16(),
            region: text("x-amz-bucket-region").or(parsed.region),
            request_id: text("x-amz-request-id").or(parsed.request_id),
            server: text(header::SERVER.as_str()),
            retry_after: status::retry_after(headers),
            code: parsed.code,
            message: parsed.message,
        }
    }

    /// By code where it is known, else by status.
    pub fn kind(&self) -> ErrorKind {
        let coded = CODES.binary_search_by_key(&self.code.as_str(), |(code, _)| code).ok();
        coded.map_or_else(|| status::kind(self.status), |index| CODES[index].1)
    }

    /// Says it in the contract's words.
    pub fn into_error(self, operation: Operation) -> Error {
        let wait = self.retry_after;
        Error::new(self.kind(), operation).after(wait).because(self)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code.as_str(), self.message.as_str()) {
            ("", _) => write!(f, "HTTP {}", self.status)?,
            (code, "") => write!(f, "{code} (HTTP {})", self.status)?,
            (code, message) => write!(f, "{code}: {message}")?,
        }
        if let Some(region) = &self.region
            && self.kind() == ErrorKind::Config
        {
            write!(f, "; the bucket lies in region '{region}'")?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

/// The fault that is among the causes of `error`, if one is.
pub(super) fn fault_of(error: &Error) -> Option<&Fault> {
    error.cause()
}

/// No answer at all.
pub(super) fn no_answer(operation: Operation, error: NoAnswer) -> Error {
    Error::new(error.kind(), operation).retryable(error.kind().is_transient() && error.is_retryable()).because(error)
}

/// What the SDK reports.
pub(super) fn from_sdk<E>(operation: Operation, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let raw = service.raw();
            if raw.status().is_success() && service.err().code().is_none() {
                return Error::new(ErrorKind::Unavailable, operation).because("the answer cannot be read");
            }
            let header = |name: &str| raw.headers().get(name).map(str::to_owned);
            let status = raw.status().as_u16();
            Fault {
                // An error inside an answer of status 200 is the server's own failure.
                status: if status < 300 { 500 } else { status },
                code: service.err().code().unwrap_or_default().to_owned(),
                message: service.err().message().unwrap_or_default().to_owned(),
                region: header("x-amz-bucket-region"),
                request_id: header("x-amz-request-id"),
                server: header("server"),
                retry_after: header("retry-after").and_then(|text| text.parse().ok()).map(Duration::from_secs),
            }
            .into_error(operation)
        }
        SdkError::TimeoutError(_) => Error::new(ErrorKind::Timeout, operation).because("no answer in time"),
        SdkError::DispatchFailure(failure) => {
            let kind = if failure.is_timeout() {
                ErrorKind::Timeout
            } else if failure.is_io() {
                ErrorKind::Unavailable
            } else {
                ErrorKind::Other
            };
            match failure.as_connector_error() {
                Some(_) => Error::new(kind, operation).because(SdkError::<E, HttpResponse>::DispatchFailure(failure)),
                None => Error::new(kind, operation),
            }
        }
        // An answer that cannot be read: cut off, or not S3 at all.
        error @ SdkError::ResponseError(_) => Error::new(ErrorKind::Unavailable, operation).because(error),
        error => Error::new(ErrorKind::BadRequest, operation).because(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_for_the_search() {
        assert!(CODES.is_sorted_by(|(a, _), (b, _)| a < b));
    }

    #[test]
    fn codes_outrank_statuses() {
        let fault = |status, code: &str| Fault { status, code: code.to_owned(), ..Fault::default() };
        assert_eq!(fault(404, "NoSuchBucket").kind(), ErrorKind::NoSuchContainer);
        assert_eq!(fault(404, "").kind(), ErrorKind::NotFound);
        assert_eq!(fault(400, "BadDigest").kind(), ErrorKind::Integrity);
        assert_eq!(fault(503, "Whatever").kind(), ErrorKind::Throttled);
        assert_eq!(fault(500, "").kind(), ErrorKind::Unavailable);
        assert_eq!(fault(418, "").kind(), ErrorKind::BadRequest);
    }

    #[test]
    fn answers_become_errors() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "7".parse().unwrap());
        headers.insert("x-amz-bucket-region", "eu-west-1".parse().unwrap());
        let body = b"<Error><Code>SlowDown</Code><Message>less &amp; slower</Message></Error>";
        let fault = Fault::new(StatusCode::SERVICE_UNAVAILABLE, &headers, body);
        assert_eq!(fault.region.as_deref(), Some("eu-west-1"));
        let error = fault.into_error(Operation::List);
        assert_eq!(error.kind(), ErrorKind::Throttled);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        assert!(error.is_retryable());
        assert_eq!(error.to_string(), "list: throttled: SlowDown: less & slower");
        assert_eq!(fault_of(&error).unwrap().code, "SlowDown");
    }
}
