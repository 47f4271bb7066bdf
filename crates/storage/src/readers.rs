//! A pool of read-only connections.

use crate::connection::{Link, Place, read_only};
use crate::damage::Damage;
use crate::error::Error;
use crate::fingerprints::Fingerprints;
use crate::snapshots::Snapshots;
use crate::view::View;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Read-only connections to one database, made when first needed and then kept.
#[derive(Debug)]
pub struct Readers {
    place: Place,
    fingerprints: Option<Arc<Fingerprints>>,
    snapshots: Option<Arc<Snapshots>>,
    damage: Arc<Damage>,
    idle: Mutex<Idle>,
    returned: Condvar,
}

#[derive(Debug)]
struct Idle {
    links: Vec<Link>,
    // Connections that may still be lent or made.
    free: usize,
}

impl Readers {
    /// A pool of at most `readers_max` connections to the database at `place`.
    pub fn new(place: Place, readers_max: usize) -> Readers {
        Readers {
            place,
            fingerprints: None,
            snapshots: None,
            damage: Arc::default(),
            idle: Mutex::new(Idle { links: Vec::new(), free: readers_max }),
            returned: Condvar::new(),
        }
    }

    /// Lets these readers keep summaries for each other, with those of the [`crate::Database`] whose
    /// fingerprints they are. Without, a [`crate::StoreTree`] reads the whole store for each.
    #[must_use]
    pub fn with_fingerprints(self, fingerprints: Arc<Fingerprints>) -> Readers {
        Readers { fingerprints: Some(fingerprints), ..self }
    }

    /// Lets reads end when the snapshots of the [`crate::Database`] have to that these are of.
    #[must_use]
    pub fn ending_with(self, snapshots: Arc<Snapshots>) -> Readers {
        Readers { snapshots: Some(snapshots), ..self }
    }

    /// Lets these readers note what they cannot read where the writer of the [`crate::Database`] finds it.
    #[must_use]
    pub fn with_damage(self, damage: Arc<Damage>) -> Readers {
        Readers { damage, ..self }
    }

    /// Runs `read` on a connection, waiting up to `wait` for one to become free.
    ///
    /// Fails with [`Error::Interrupted`] when none did.
    pub fn read<T>(
        &self,
        wait: Duration,
        read: impl FnOnce(View<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let lent = self.lend(wait)?;
        match &lent.link {
            Some(link) => {
                // One transaction is one snapshot, whatever is committed meanwhile.
                link.set_snapshot(true);
                link.db.execute_batch("BEGIN")?;
                link.noted(read(View::new(link, self.fingerprints.as_deref())))
            }
            None => Err(Error::Interrupted),
        }
    }

    fn lend(&self, wait: Duration) -> Result<Lent<'_>, Error> {
        let until = Instant::now() + wait;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while idle.free == 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Interrupted);
            }
            idle = self.returned.wait_timeout(idle, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        idle.free -= 1;
        let kept = idle.links.pop();
        drop(idle);
        let mut lent = Lent { pool: self, link: kept };
        if lent.link.is_none() {
            let mut link = read_only(&self.place)?;
            link.damage = Arc::clone(&self.damage);
            if let Some(snapshots) = &self.snapshots {
                link.end_with(snapshots);
            }
            lent.link = Some(link);
        }
        Ok(lent)
    }
}

/// A connection on loan; it goes back when dropped.
struct Lent<'p> {
    pool: &'p Readers,
    link: Option<Link>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            // The snapshot ends, however the read did; it wrote nothing, and an error may have
            // ended it already.
            let _ = link.db.execute_batch("ROLLBACK");
            link.set_snapshot(false);
        }
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.free += 1;
        idle.links.extend(self.link.take());
        drop(idle);
        self.pool.returned.notify_one();
    }
}
