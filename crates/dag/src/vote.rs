//! Votes: what a node says of a file that was contributed, signed.
//!
//! A vote is valid for one swarm, one peer and one address alone, so nobody passes it off as that of another peer
//! or as one about another file. It says nothing about how many nodes one member runs: who counts votes counts one
//! a peer and one an identity.

use crate::identity::{Identity, IdentityKeys};
use crate::limits::IDENTITY_BYTES_MAX;
use crate::{Cid, Error, LogCid, keys};

/// What a vote is about, and whose it is.
#[derive(Debug, Clone, Copy)]
pub struct VoteSubject<'a> {
    /// The swarm, by name.
    pub swarm: &'a str,
    /// The id of the host of who votes, in its binary form.
    pub peer: &'a [u8],
    /// The address of the file.
    pub cid: &'a Cid,
}

/// A vote that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// Whether the file is as it should be.
    pub valid: bool,
    /// When that was found out, in milliseconds of the voter's wall clock.
    pub at_ms: u64,
    /// The id of the identity that votes.
    pub voter: String,
}

/// The first byte of a vote.
const VERSION: u8 = 1;
/// Version, verdict, time and the length of the identity.
const HEAD_BYTES: usize = 1 + 1 + 8 + 2;

impl Vote {
    /// The signature of a vote of this node. [`Vote::write`] makes the vote of it.
    pub fn sign(
        keys: &IdentityKeys,
        subject: &VoteSubject<'_>,
        valid: bool,
        at_ms: u64,
    ) -> Vec<u8> {
        keys::sign(keys.signing_key(), &digest(subject, valid, at_ms)).to_der().as_bytes().to_vec()
    }

    /// The bytes of a vote of `voter`, whose signature was made before. Signs nothing and checks nothing.
    pub fn write(voter: &Identity, valid: bool, at_ms: u64, signature: &[u8]) -> Vec<u8> {
        let identity = &voter.block;
        let mut vote = Vec::with_capacity(HEAD_BYTES + identity.len() + signature.len());
        vote.extend([VERSION, u8::from(valid)]);
        vote.extend(at_ms.to_be_bytes());
        // The block of an identity has some hundred bytes.
        vote.extend((identity.len() as u16).to_be_bytes());
        vote.extend(identity);
        vote.extend(signature);
        vote
    }

    /// Reads a vote and checks its signatures.
    ///
    /// # Errors
    /// What is wrong with it: [`Error::Vote`] where it is none, [`Error::SignatureWrong`] where it is about
    /// something else or of another peer, and what is wrong with its identity.
    pub fn open(bytes: &[u8], subject: &VoteSubject<'_>) -> Result<Vote, Error> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or(Error::Vote)?;
        let [VERSION, verdict @ (0 | 1), time @ .., high, low] = head else {
            return Err(Error::Vote);
        };
        let identity_bytes = usize::from(u16::from_be_bytes([*high, *low]));
        if identity_bytes > IDENTITY_BYTES_MAX {
            return Err(Error::Vote);
        }
        let (identity, signature) = rest.split_at_checked(identity_bytes).ok_or(Error::Vote)?;
        let identity = Identity::decode(LogCid::of(identity), identity)?;
        let signature = keys::signature(&hex::encode(signature))?;
        let (valid, at_ms) = (*verdict == 1, u64::from_be_bytes(*time));
        keys::verify(identity.verifying_key(), &digest(subject, valid, at_ms), &signature)?;
        Ok(Vote { valid, at_ms, voter: identity.id })
    }
}

/// What is signed. Every part has its length in front, so that no two subjects give the same bytes.
fn digest(subject: &VoteSubject<'_>, valid: bool, at_ms: u64) -> [u8; 32] {
    let cid = subject.cid.to_bytes();
    let length = |part: &[u8]| (part.len() as u64).to_be_bytes();
    keys::message_digest(&[
        b"optimusdb vote 1\0",
        &length(subject.swarm.as_bytes()),
        subject.swarm.as_bytes(),
        &length(subject.peer),
        subject.peer,
        &length(&cid),
        &cid,
        &[u8::from(valid)],
        &at_ms.to_be_bytes(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Codec, HashCode};

    fn cid(text: &[u8]) -> Cid {
        Cid::of(Codec::RAW, HashCode::Sha2_256, text).unwrap()
    }

    fn signed(keys: &IdentityKeys, subject: &VoteSubject<'_>, valid: bool) -> Vec<u8> {
        Vote::write(keys.identity(), valid, 7, &Vote::sign(keys, subject, valid, 7))
    }

    #[test]
    fn a_vote_counts_for_one_file_of_one_peer_in_one_swarm() {
        let keys = IdentityKeys::from_bytes(&[1; 32], &[2; 32]).unwrap();
        let (one, other) = (cid(b"one"), cid(b"other"));
        let subject = VoteSubject { swarm: "s", peer: b"peer", cid: &one };
        let vote = signed(&keys, &subject, true);
        let voter = keys.identity().id.clone();
        assert_eq!(Vote::open(&vote, &subject), Ok(Vote { valid: true, at_ms: 7, voter }));
        for forged in [
            VoteSubject { swarm: "t", ..subject },
            VoteSubject { peer: b"reep", ..subject },
            VoteSubject { cid: &other, ..subject },
            VoteSubject { swarm: "sp", peer: b"eer", ..subject },
        ] {
            assert_eq!(Vote::open(&vote, &forged), Err(Error::SignatureWrong), "{forged:?}");
        }
    }

    #[test]
    fn any_damage_yields_an_error() {
        let keys = IdentityKeys::from_bytes(&[1; 32], &[2; 32]).unwrap();
        let one = cid(b"one");
        let subject = VoteSubject { swarm: "s", peer: b"peer", cid: &one };
        let vote = signed(&keys, &subject, false);
        for at in 0..vote.len() {
            assert!(Vote::open(&vote[..at], &subject).is_err(), "cut at {at}");
            let mut damaged = vote.clone();
            damaged[at] ^= 1;
            assert!(Vote::open(&damaged, &subject).is_err(), "damaged at {at}");
        }
        assert!(Vote::open(&[vote, vec![0]].concat(), &subject).is_err());
    }
}
