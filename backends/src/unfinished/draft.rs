//! A file on its way, on a server.

use std::sync::Arc;

use super::content_name;
use crate::error::Result;

/// A server that files on their way can be removed from.
pub(crate) trait Removes: Send + Sync + 'static {
    /// A fresh name for what is to be called `target`.
    fn name(target: &str) -> String {
        content_name(target)
    }

    /// Removes the file at `path`, if that can be done. Nobody waits for the outcome: what stays is
    /// [stale](super::Stale) one day.
    fn discard(&self, path: &str) -> impl Future<Output = ()> + Send;
}

/// A temporary name. What lies there is removed when the work on it fails or is dropped.
#[derive(Debug)]
pub(crate) struct Draft<Place: Removes> {
    place: Option<Arc<Place>>,
    /// The temporary name, with the directory it lies in.
    pub path: String,
}

impl<Place: Removes> Draft<Place> {
    /// One beside what is to lie at `target`.
    pub fn beside(place: &Arc<Place>, target: &str) -> Self {
        let (above, name) = target.split_at(target.rfind('/').map_or(0, |at| at + 1));
        Self { place: Some(Arc::clone(place)), path: format!("{above}{}", Place::name(name)) }
    }

    /// It has its name now, or is removed.
    pub async fn done<T>(mut self, outcome: &Result<T>) {
        if let (Some(place), true) = (self.place.take(), outcome.is_err()) {
            place.discard(&self.path).await;
        }
    }
}

impl<Place: Removes> Drop for Draft<Place> {
    fn drop(&mut self) {
        let (Some(place), Ok(runtime)) = (self.place.take(), tokio::runtime::Handle::try_current()) else { return };
        let path = std::mem::take(&mut self.path);
        runtime.spawn(async move { place.discard(&path).await });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::error::{Error, ErrorKind, Operation};

    #[derive(Default)]
    struct Server {
        removed: Mutex<Vec<String>>,
    }

    impl Removes for Server {
        async fn discard(&self, path: &str) {
            self.removed.lock().unwrap().push(path.to_owned());
        }
    }

    #[tokio::test]
    async fn what_has_no_name_is_removed() {
        let server = Arc::new(Server::default());
        Draft::beside(&server, "a/kept").done(&Ok(())).await;
        Draft::beside(&server, "a/failed").done::<()>(&Err(Error::new(ErrorKind::Full, Operation::Put))).await;
        drop(Draft::beside(&server, "dropped"));
        // On one thread, what was spawned has its turn now.
        tokio::task::yield_now().await;
        let removed = server.removed.lock().unwrap();
        assert_eq!(removed.len(), 2, "{removed:?}");
        assert!(
            removed[0].starts_with("a/.failed.sterna-") && removed[1].starts_with(".dropped.sterna-"),
            "{removed:?}"
        );
    }
}
