//! What a memory store holds, behind one lock.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
    sync::Arc,
};

use super::{
    behaviour::Behaviour,
    revision::{Content, Revision},
    upload::Upload,
};
use crate::{
    entry::{Entry, Key, Timestamp, Version},
    error::{Error, ErrorKind, Operation, Result},
    store::PutRequest,
};

/// The objects of one container.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Whether the container was removed.
    pub(super) gone: bool,
    /// By the key, or by its lower case where case is folded.
    pub(super) objects: BTreeMap<String, Object>,
    /// Directories that exist by themselves, each ending in `/`.
    pub(super) directories: BTreeSet<String>,
    pub(super) uploads: BTreeMap<String, Upload>,
    /// Uploads that were completed, so that a complete whose answer was lost may be asked again: id to `ETag`.
    pub(super) completed: HashMap<String, Option<Arc<str>>>,
    /// Counts versions and uploads.
    serial: u64,
    /// The last time given, so that no two revisions share one.
    clock: i64,
}

/// The revisions of one key, oldest first, never empty.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) key: Key,
    pub(super) revisions: Vec<Revision>,
}

impl Object {
    pub(super) fn latest(&self) -> &Revision {
        self.revisions.last().expect("an object without revisions is removed")
    }
}

impl State {
    /// # Errors
    /// `NoSuchContainer` where it was removed.
    pub(super) fn present(&self, operation: Operation) -> Result<()> {
        if self.gone { Err(Error::new(ErrorKind::NoSuchContainer, operation)) } else { Ok(()) }
    }

    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(super) fn tick(&mut self) -> Timestamp {
        self.clock = Timestamp::now().as_nanos().max(self.clock + 1);
        Timestamp::from_nanos(self.clock)
    }

    /// The revision that is asked for and its content.
    ///
    /// # Errors
    /// `NotFound` where there is none, or where it is a delete marker.
    pub(super) fn find(
        &self,
        behaviour: &Behaviour,
        operation: Operation,
        key: &Key,
        version: Option<&Version>,
    ) -> Result<(&Object, &Revision, &Content)> {
        self.present(operation)?;
        let missing = || Error::new(ErrorKind::NotFound, operation).at(key);
        let object = self.objects.get(&slot(behaviour, key)).ok_or_else(missing)?;
        let revision = match version {
            None => object.latest(),
            Some(version) => {
                object.revisions.iter().find(|revision| revision.version == *version).ok_or_else(missing)?
            }
        };
        let content = revision.content.as_ref().ok_or_else(missing)?;
        Ok((object, revision, content))
    }

    /// Whether `request`'s conditions hold for `key`, and no directory or file is in the way.
    ///
    /// # Errors
    /// `Exists`, `Precondition`, `Unsupported`.
    pub(super) fn permits(
        &self,
        behaviour: &Behaviour,
        operation: Operation,
        key: &Key,
        request: &PutRequest,
    ) -> Result<()> {
        self.present(operation)?;
        let can = &behaviour.capabilities;
        if let Some(why) = can.keys.refuse(key) {
            return Err(Error::unsupported(operation, why).at(key));
        }
        if !can.keys.file_beside_directory && self.in_the_way(behaviour, key) {
            let why = "a directory and an object cannot share a name";
            return Err(Error::new(ErrorKind::Exists, operation).at(key).because(why));
        }
        if !can.conditional_put {
            return Ok(());
        }
        let current = self.find(behaviour, operation, key, None).ok().map(|(_, _, content)| content);
        if request.if_absent && current.is_some() {
            return Err(Error::new(ErrorKind::Exists, operation).at(key));
        }
        if let Some(wanted) = &request.if_match
            && current.and_then(|content| content.etag.as_ref()) != Some(wanted)
        {
            return Err(Error::new(ErrorKind::Precondition, operation).at(key));
        }
        Ok(())
    }

    fn in_the_way(&self, behaviour: &Behaviour, key: &Key) -> bool {
        let slot = slot(behaviour, key);
        let below = format!("{slot}/");
        let parent_is_object = slot.match_indices('/').any(|(at, _)| self.objects.contains_key(&slot[..at]));
        parent_is_object
            || self.directories.contains(&below)
            || self.objects.range(below.clone()..).next().is_some_and(|(other, _)| other.starts_with(&below))
    }

    /// Makes `content` the latest under `key`.
    pub(super) fn store(&mut self, behaviour: &Behaviour, key: &Key, content: Content) -> Entry {
        if behaviour.capabilities.directories {
            self.add_parents(key);
        }
        let revision = Revision { version: self.next_version(), stored: self.tick(), content: Some(content) };
        let entry = revision.entry(behaviour, key, true);
        self.push(behaviour, key, revision);
        entry
    }

    /// Deletes as the behaviour says.
    pub(super) fn erase(&mut self, behaviour: &Behaviour, key: &Key, version: Option<&Version>) {
        let slot = slot(behaviour, key);
        match version {
            Some(version) => {
                if let Some(object) = self.objects.get_mut(&slot) {
                    object.revisions.retain(|revision| revision.version != *version);
                    if object.revisions.is_empty() {
                        self.objects.remove(&slot);
                    }
                }
            }
            None if behaviour.capabilities.versions => {
                let marker = Revision { version: self.next_version(), stored: self.tick(), content: None };
                self.push(behaviour, key, marker);
            }
            None => {
                self.objects.remove(&slot);
                self.prune(&slot);
            }
        }
    }

    /// Removes the directories above `slot` that hold nothing any more.
    fn prune(&mut self, slot: &str) {
        for (at, _) in slot.match_indices('/').rev() {
            let directory = &slot[..=at];
            let holds = |other: Option<&String>| other.is_some_and(|other| other.starts_with(directory));
            let inside = (Bound::Excluded(directory), Bound::Unbounded);
            if holds(self.directories.range::<str, _>(inside).next())
                || holds(self.objects.range::<str, _>(inside).next().map(|(key, _)| key))
            {
                return;
            }
            self.directories.remove(directory);
        }
    }

    fn next_version(&mut self) -> Version {
        format!("v{}", self.next_serial()).into()
    }

    fn push(&mut self, behaviour: &Behaviour, key: &Key, revision: Revision) {
        let object = self
            .objects
            .entry(slot(behaviour, key))
            .or_insert_with(|| Object { key: key.clone(), revisions: Vec::new() });
        if !behaviour.capabilities.versions {
            object.revisions.clear();
        }
        object.revisions.push(revision);
    }
}

/// Under which name `key` is kept.
pub(super) fn slot(behaviour: &Behaviour, key: &Key) -> String {
    if behaviour.capabilities.keys.folds_case { key.to_lowercase() } else { key.as_str().to_owned() }
}
