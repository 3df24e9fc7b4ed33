//! The store itself: each call of the contract handed to the file that keeps it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;

use super::{
    case::folds_case,
    copy, delete,
    escape::to_segment,
    options::LocalOptions,
    read,
    thread::{blocking, briefly},
    tree::Tree,
    upload, walk, write,
};
use crate::{
    body::Body,
    capability::{Capabilities, CopyAbility, KeyRules, MultipartAbility, Order},
    entry::{Algorithm, Entry, Key, Version},
    error::{Error, ErrorKind, Operation, Result},
    registry::Opened,
    store::{
        CopySource, Deleted, IncompleteUpload, ListRequest, Pages, Part, PartRequest, PutRequest, ReadRequest, Reader,
        Store, UploadToken, Whereabouts,
    },
};

/// Keys one delete call takes: one thread works on so many.
const DELETE_BATCH: usize = 1000;

/// From this size a file is better fetched in several ranges at once.
const PARTS_FROM: u64 = 64 << 20;

/// Times of inodes move in ticks of at most 10 ms.
const SETTLES: Duration = Duration::from_millis(20);

/// A directory of this machine as a store.
#[derive(Debug)]
pub struct Local {
    tree: Arc<Tree>,
    capabilities: Capabilities,
}

impl Local {
    /// The directory `root`, which need not exist yet: the first put makes it.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>, options: LocalOptions) -> Self {
        let root = root.into();
        let capabilities = capabilities(&root, &options);
        Self { tree: Arc::new(Tree::new(root, options)), capabilities }
    }

    /// The directory at `path`; where a file lies there, the directory it lies in and the file's key.
    ///
    /// # Errors
    /// `Unsupported` for a file whose name is not UTF-8; `Denied` where the path cannot be looked at.
    pub fn open(path: &Path, options: LocalOptions) -> Result<Opened> {
        let failed = |error| Error::io(Operation::Open, error).of(path.display().to_string());
        let is_file = match std::fs::metadata(path) {
            Ok(found) => !found.is_dir(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(failed(error)),
        };
        if !is_file {
            return Ok(Opened { store: Arc::new(Self::new(path, options)), prefix: String::new() });
        }
        // A link named by the user is meant to be gone through, whatever becomes of links below a root.
        let linked = std::fs::symlink_metadata(path).map_err(failed)?.is_symlink();
        let file = if linked { path.canonicalize().map_err(failed)? } else { path.to_owned() };
        let name = file.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
            Error::unsupported(Operation::Open, "the name is not UTF-8").of(path.display().to_string())
        })?;
        let prefix = if options.escape { to_segment(name).into_owned() } else { name.to_owned() };
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Opened { store: Arc::new(Self::new(parent, options)), prefix })
    }

    /// Brings what was written to the disk, unless [`Fsync::None`](super::Fsync::None) says not to.
    ///
    /// # Errors
    /// What the disk reports.
    pub async fn sync(&self) -> Result<()> {
        let tree = Arc::clone(&self.tree);
        blocking(Operation::Put, move || {
            let Some(root) = tree.handle() else { return Ok(()) };
            tree.durable.flush(&root).map_err(|error| Error::io(Operation::Put, error).of(&tree.name))
        })
        .await
    }

    /// Runs short `work` on a thread that may wait for the disk.
    async fn briefly<T: Send + 'static>(
        &self,
        operation: Operation,
        work: impl FnOnce(&Arc<Tree>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let tree = Arc::clone(&self.tree);
        briefly(operation, move || work(&tree)).await
    }

    /// Runs `work` on a thread of its own.
    async fn on_thread<T: Send + 'static>(
        &self,
        operation: Operation,
        work: impl FnOnce(&Arc<Tree>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let tree = Arc::clone(&self.tree);
        blocking(operation, move || work(&tree)).await
    }
}

fn capabilities(root: &Path, options: &LocalOptions) -> Capabilities {
    Capabilities {
        keys: KeyRules {
            empty_segments: options.escape,
            dot_segments: options.escape,
            control: cfg!(not(windows)),
            backslash: cfg!(not(windows)),
            folds_case: folds_case(root),
            ..KeyRules::PATHS
        },
        order: Order::Bytes,
        modified: Some(Duration::from_nanos(1)),
        modified_in_list: true,
        cheap_read: true,
        multipart: Some(MultipartAbility {
            min_part: 1,
            max_part: u64::MAX,
            min_parts: 1,
            max_parts: u32::MAX,
            part: None,
            threshold: PARTS_FROM,
            resumable: true,
            tells_begun: false,
            part_digest: Some(Algorithm::Crc32c),
            part_checksum: None,
        }),
        copy: Some(CopyAbility { domain: options.domain(), max_copy: u64::MAX, parts: false }),
        conditional_put: true,
        delete_batch: DELETE_BATCH,
        directories: true,
        transfers: 16,
        ..Capabilities::LEAST
    }
}

#[async_trait]
impl Store for Local {
    fn name(&self) -> &str {
        &self.tree.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn whereabouts(&self) -> Option<Whereabouts> {
        let base = format!("{}/", self.tree.real_path()?.trim_end_matches('/'));
        Some(Whereabouts { place: "local".to_owned(), base, settles: SETTLES })
    }

    fn list(&self, request: ListRequest) -> Pages {
        walk::pages(Arc::clone(&self.tree), request)
    }

    async fn stat(&self, key: &Key, version: Option<&Version>) -> Result<Entry> {
        if version.is_some() {
            return Err(Error::unsupported(Operation::Stat, "no old versions").of(&self.tree.name).at(key));
        }
        let key = key.clone();
        self.briefly(Operation::Stat, move |tree| read::stat(tree, &key)).await
    }

    async fn read(&self, key: &Key, request: ReadRequest) -> Result<Reader> {
        let key = key.clone();
        self.briefly(Operation::Read, move |tree| read::read(tree, &key, &request)).await
    }

    async fn put(&self, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
        write::put(&self.tree, key, request, body).await
    }

    async fn begin(&self, key: &Key, request: &PutRequest) -> Result<UploadToken> {
        let (key, request) = (key.clone(), request.clone());
        self.on_thread(Operation::Begin, move |tree| upload::begin(tree, &key, &request)).await
    }

    async fn put_part(&self, token: &UploadToken, part: &PartRequest, body: Body) -> Result<Part> {
        upload::put_part(&self.tree, token, part, body).await
    }

    async fn complete(&self, token: &UploadToken, request: &PutRequest, parts: &[Part]) -> Result<Entry> {
        let (token, request, parts) = (token.clone(), request.clone(), parts.to_vec());
        self.on_thread(Operation::Complete, move |tree| upload::complete(tree, &token, &request, &parts)).await
    }

    async fn abort(&self, token: &UploadToken) -> Result<()> {
        let token = token.clone();
        self.on_thread(Operation::Abort, move |tree| upload::abort(tree, &token)).await
    }

    async fn parts(&self, token: &UploadToken) -> Result<Vec<Part>> {
        let token = token.clone();
        self.on_thread(Operation::ListParts, move |tree| upload::parts(tree, &token)).await
    }

    async fn uploads(&self, prefix: &str) -> Result<Vec<IncompleteUpload>> {
        let prefix = prefix.to_owned();
        self.on_thread(Operation::ListParts, move |tree| upload::uploads(tree, &prefix)).await
    }

    fn copy_source(&self, key: &Key) -> Option<CopySource> {
        copy::source(&self.tree, key)
    }

    async fn copy(&self, source: &CopySource, key: &Key, request: PutRequest) -> Result<Entry> {
        copy::copy(&self.tree, source, key, request).await
    }

    async fn delete(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        let mut results = Vec::with_capacity(targets.len());
        for batch in targets.chunks(DELETE_BATCH) {
            let work = batch.to_vec();
            match self.on_thread(Operation::Delete, move |tree| Ok(delete::delete(tree, &work))).await {
                Ok(done) => results.extend(done),
                Err(error) => {
                    let failed = |target: &Deleted| {
                        Err(Error::new(ErrorKind::Other, Operation::Delete)
                            .because(error.to_string())
                            .of(&self.tree.name)
                            .at(&target.key))
                    };
                    results.extend(batch.iter().map(failed));
                }
            }
        }
        results
    }

    async fn set_metadata(&self, key: &Key, request: PutRequest) -> Result<()> {
        let key = key.clone();
        self.briefly(Operation::SetMetadata, move |tree| write::set_metadata(tree, &key, &request)).await
    }

    async fn make_directory(&self, path: &str) -> Result<()> {
        let path = path.to_owned();
        self.on_thread(Operation::MakeDirectory, move |tree| delete::make_directory(tree, &path)).await
    }

    async fn remove_directory(&self, path: &str) -> Result<()> {
        let path = path.to_owned();
        self.on_thread(Operation::Delete, move |tree| delete::remove_directory(tree, &path)).await
    }
}
