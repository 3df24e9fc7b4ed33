//! What lies in the folder of a name that is to be replaced. To replace is to delete, and of a collection all that is in it (RFC
//! 4918, 9.9.3), so the name is looked at first: those of one folder together, and with them the draft that is to have it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::{
    delete::{HOLDS, MANY},
    multistatus::Properties,
    place::Place,
    properties::{Depth, ask, look},
};
use crate::{
    entry::Key,
    error::{Operation, Result},
    unfinished::is_unfinished,
    web::address::parent,
};

/// So many folders are remembered; what is forgotten costs a request.
const FOLDERS: usize = 64;

/// The objects that folders have shown, and when.
#[derive(Debug, Default)]
pub(super) struct Around(Mutex<HashMap<String, (HashSet<String>, Instant)>>);

impl Around {
    fn folders(&self) -> MutexGuard<'_, HashMap<String, (HashSet<String>, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `key` was an object a moment ago.
    fn shows(&self, key: &str) -> bool {
        let folders = self.folders();
        folders.get(parent(key)).is_some_and(|(objects, at)| at.elapsed() < HOLDS && objects.contains(key))
    }

    fn saw(&self, folder: &str, objects: HashSet<String>, at: Instant) {
        let mut folders = self.folders();
        folders.retain(|_, (_, at)| at.elapsed() < HOLDS);
        let oldest = folders.iter().min_by_key(|(_, (_, at))| *at).map(|(folder, _)| folder.clone());
        if let Some(oldest) = oldest.filter(|_| folders.len() >= FOLDERS) {
            folders.remove(&oldest);
        }
        folders.insert(folder.to_owned(), (objects, at));
    }
}

/// What is told of a draft that is to replace `key`, and whether that is known to be an object.
///
/// # Errors
/// As [`look`].
pub(super) async fn look_around(place: &Place, draft: &str, key: &Key) -> Result<(Properties, bool)> {
    if !place.learned.around.shows(key) {
        // Checksums are asked for one by one: to tell those of a whole folder is work for the server.
        let folder = Some(parent(key)).filter(|path| !place.takes_checksums() && !place.is_vast(path));
        let told = match folder {
            Some(folder) => told_by(place, folder, draft, key).await,
            None => Ok(None),
        };
        match told {
            Ok(Some(told)) => return Ok(told),
            Err(error) if error.is_retryable() => return Err(error),
            // The draft by itself, as it is not listed, or the folder is not to be.
            Ok(None) | Err(_) => {}
        }
    }
    let stored = look(place, Operation::Put, draft).await?;
    Ok((stored, place.learned.around.shows(key)))
}

/// As [`look_around`], where `folder` lists the draft. Its objects are remembered; of one with very many members nothing is told.
async fn told_by(place: &Place, folder: &str, draft: &str, key: &Key) -> Result<Option<(Properties, bool)>> {
    let at = Instant::now();
    let mut told = ask(place, Operation::Put, folder, Depth::Members, false).await?;
    let (mut stored, mut objects) = (None, HashSet::new());
    while let Some(member) = told.next().await? {
        let refused = member.status.is_some_and(|status| !(200..300).contains(&status));
        let Some(path) = place.address.path_of(&member.href).filter(|_| !refused && !member.found.collection) else {
            continue;
        };
        if path == draft {
            stored = Some(member.found);
        } else if !is_unfinished(&path) {
            objects.insert(path);
        }
        if objects.len() > MANY {
            place.saw_vast(folder);
            return Ok(None);
        }
    }
    let is_object = objects.contains(key.as_str());
    place.learned.around.saw(folder, objects, at);
    Ok(stored.map(|stored| (stored, is_object)))
}
