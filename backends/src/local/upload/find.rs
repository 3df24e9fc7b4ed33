//! Finding what was not finished, by walking the tree.

use std::{collections::BTreeSet, io};

use super::{
    super::{
        escape::{DiskPath, to_segment},
        names::is_gone,
        system::{Dir, FileKind, is_link_in_way},
        tree::Tree,
    },
    is_file, read_ledger,
};
use crate::{
    entry::{Key, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    store::{IncompleteUpload, UploadToken},
    unfinished::{Ledger, Leftover, ledger_name, leftover},
};

/// The unfinished files whose keys start with `prefix`: uploads in parts, and what puts left behind that were
/// killed. Of the latter the end of a long name is cut off; they can be aborted, not continued, and their start
/// is the time they were last written to.
pub(in crate::local) fn uploads(tree: &Tree, prefix: &str) -> Result<Vec<IncompleteUpload>> {
    let failed = |error: io::Error| {
        let error = match error.kind() {
            io::ErrorKind::NotFound => Error::new(ErrorKind::NoSuchContainer, Operation::ListParts),
            _ => Error::io(Operation::ListParts, error),
        };
        error.of(&tree.name)
    };
    let root = tree.reopen().map_err(failed)?;
    let mut search = Search { tree, found: Vec::new() };
    let below = match prefix.rfind('/') {
        None => String::new(),
        Some(slash) => match DiskPath::of_directory(&prefix[..=slash], tree.options.escape) {
            Ok(path) => path.as_str().to_owned(),
            Err(_) => return Ok(Vec::new()),
        },
    };
    match root.open_directory(&below, false) {
        Err(error) if is_gone(&error) || is_link_in_way(&error) => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
        Ok(directory) => search.directory(&directory, &below).map_err(failed)?,
    }
    let mut found = search.found;
    found.retain(|upload| upload.token.key.starts_with(prefix));
    found.sort_unstable_by(|a, b| (&a.token.key, &a.token.id).cmp(&(&b.token.key, &b.token.id)));
    Ok(found)
}

struct Search<'a> {
    tree: &'a Tree,
    found: Vec<IncompleteUpload>,
}

impl Search<'_> {
    fn directory(&mut self, directory: &Dir, path: &str) -> io::Result<()> {
        let (mut below, mut contents) = (Vec::new(), BTreeSet::new());
        directory.for_each(&mut |name, kind| {
            let Some(name) = name.to_str() else { return Ok(()) };
            match leftover(name) {
                Some(Leftover::Content { .. }) if is_file(kind) => drop(contents.insert(name.to_owned())),
                Some(Leftover::Ledger { content }) if is_file(kind) => drop(contents.insert(content.to_owned())),
                _ if kind == Some(FileKind::Directory) => below.push(name.to_owned()),
                _ if kind.is_none() && directory.facts(name, false)?.kind == FileKind::Directory => {
                    below.push(name.to_owned());
                }
                _ => {}
            }
            Ok(())
        })?;
        for content in contents {
            self.found.extend(self.upload(directory, path, &content)?);
        }
        for name in below {
            let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            match directory.open_directory(&name, false) {
                Err(error) if is_gone(&error) || is_link_in_way(&error) => {}
                opened => self.directory(&opened?, &path)?,
            }
        }
        Ok(())
    }

    fn upload(&self, directory: &Dir, path: &str, content: &str) -> io::Result<Option<IncompleteUpload>> {
        let id = if path.is_empty() { content.to_owned() } else { format!("{path}/{content}") };
        let told = |key, started| Some(IncompleteUpload { token: UploadToken { key, id: id.clone() }, started });
        let ledger = match directory.open_file(&ledger_name(content), false) {
            Ok(file) => read_ledger(&file)?,
            Err(error) if is_gone(&error) || is_link_in_way(&error) => None,
            Err(error) => return Err(error),
        };
        if let Some(Ledger { head, .. }) = ledger {
            return Ok(told(head.key, Some(head.started)));
        }
        let Some(Leftover::Content { target }) = leftover(content) else { return Ok(None) };
        let key = if path.is_empty() { target.to_owned() } else { format!("{path}/{target}") };
        let escape = self.tree.options.escape;
        let segments: Vec<_> = key.split('/').map(|name| if escape { to_segment(name) } else { name.into() }).collect();
        let Ok(key) = Key::new(segments.join("/")) else { return Ok(None) };
        let started: Option<Timestamp> = directory.facts(content, false).ok().map(|facts| facts.modified);
        Ok(told(key, started))
    }
}
