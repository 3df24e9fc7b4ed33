//! Statuses of the answers that `object_store` gets: its own errors hide most of them, and how long to wait.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use object_store::{
    ClientOptions,
    client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector},
};

use crate::web::status::retry_after;

/// What the last answer of a call said of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answer {
    /// HTTP status; `None` where there was no answer.
    pub status: Option<u16>,
    /// How long it asks us to wait.
    pub wait: Option<Duration>,
}

tokio::task_local! {
    static LAST: Arc<Mutex<Answer>>;
}

/// Runs `call`, and tells what its last answer said.
pub(super) async fn noted<T>(call: impl Future<Output = T>) -> (T, Answer) {
    let last = Arc::new(Mutex::new(Answer::default()));
    let result = LAST.scope(Arc::clone(&last), call).await;
    let last = *last.lock().unwrap_or_else(PoisonError::into_inner);
    (result, last)
}

/// Connects as the crate does, and notes what comes.
#[derive(Debug)]
pub(super) struct Noting;

impl HttpConnector for Noting {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Connected { inner }))
    }
}

#[derive(Debug)]
struct Connected {
    inner: HttpClient,
}

#[async_trait]
impl HttpService for Connected {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = self.inner.execute(request).await;
        let noted = answer.as_ref().map_or_else(
            |_| Answer::default(),
            |answer| Answer { status: Some(answer.status().as_u16()), wait: retry_after(answer.headers()) },
        );
        // Outside of a call that is noted, as when a token is fetched ahead, nobody asks.
        let _nobody = LAST.try_with(|last| *last.lock().unwrap_or_else(PoisonError::into_inner) = noted);
        answer
    }
}
