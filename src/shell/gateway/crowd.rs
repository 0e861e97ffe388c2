//! Who has to go when the door is crowded, so that strangers cannot lock out a newcomer.

use std::collections::HashMap;
use std::time::Instant;

use crate::access::Stranger;

/// Most connections at once.
pub const MOST: usize = 256;
/// Most of one stranger.
pub const MOST_OF_ONE: usize = 32;

/// How far a connection has come; those that come first here go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// Its answer has been sent.
    Answered,
    /// It has not asked for anything yet.
    Unfinished,
    /// It is being answered.
    Asked,
}

/// A connection as the crowd sees it.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Whose.
    pub stranger: Stranger,
    /// Since when.
    pub opened: Instant,
    /// How far.
    pub progress: Progress,
}

/// Which of `members` must go before `newcomer` may come in, if any: at the limit of one stranger one of their own,
/// at the limit of all one of whoever has most; of these the least far one, and of equals the oldest.
pub fn must_go(members: &[Member], newcomer: Stranger) -> Option<usize> {
    let of_newcomer = members.iter().filter(|member| member.stranger == newcomer).count();
    if of_newcomer >= MOST_OF_ONE {
        return first_to_go(members, |member| member.stranger == newcomer);
    }
    if members.len() < MOST {
        return None;
    }
    fullest(members)
}

/// Which of `members` goes if one must: one of whoever has most.
pub fn fullest(members: &[Member]) -> Option<usize> {
    let mut counts: HashMap<Stranger, usize> = HashMap::new();
    for member in members {
        *counts.entry(member.stranger).or_default() += 1;
    }
    let most = counts.values().copied().max()?;
    first_to_go(members, |member| counts.get(&member.stranger) == Some(&most))
}

fn first_to_go(members: &[Member], of: impl Fn(&Member) -> bool) -> Option<usize> {
    let candidates = members.iter().enumerate().filter(|(_, member)| of(member));
    candidates.min_by_key(|(_, member)| (member.progress, member.opened)).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;
    use crate::shell::clock;

    fn stranger(n: u32) -> Stranger {
        Stranger::at(IpAddr::from((0x0a00_0000 + n).to_be_bytes()))
    }

    fn crowd(of: impl Iterator<Item = (u32, Progress)>) -> Vec<Member> {
        let start = clock::now();
        of.enumerate()
            .map(|(n, (who, progress))| Member {
                stranger: stranger(who),
                opened: start + Duration::from_millis(n as u64),
                progress,
            })
            .collect()
    }

    #[test]
    fn below_the_limits_nobody_goes() {
        let members = crowd((0..MOST as u32 - 1).map(|n| (n / 20, Progress::Unfinished)));
        assert_eq!(must_go(&members, stranger(999)), None);
    }

    #[test]
    fn one_stranger_pushes_out_only_their_own_oldest() {
        let mut members = crowd((0..100).map(|n| (if n < 68 { n } else { 77 }, Progress::Unfinished)));
        assert_eq!(must_go(&members, stranger(77)), Some(68));
        members[68].progress = Progress::Asked;
        assert_eq!(must_go(&members, stranger(77)), Some(69), "who is being answered stays");
        members[90].progress = Progress::Answered;
        assert_eq!(must_go(&members, stranger(77)), Some(90), "who was answered goes first");
        assert_eq!(must_go(&members, stranger(3)), None);
    }

    #[test]
    fn when_full_the_one_who_has_most_makes_room() {
        let members = crowd((0..MOST as u32).map(|n| (if n < 240 { n } else { 1000 }, Progress::Unfinished)));
        assert_eq!(must_go(&members, stranger(5000)), Some(240));
        let all_different = crowd((0..MOST as u32).map(|n| (n, Progress::Unfinished)));
        assert_eq!(must_go(&all_different, stranger(5000)), Some(0));
        assert_eq!(fullest(&[]), None);
    }
}
