//! Whose turn it is: the arm of a request, then the instance within it. Chance is an argument.

mod asset;
mod eject;
mod load;
mod warm;

pub use asset::is_fingerprinted;
pub use eject::{
    ANSWERS, FAILURES_IN_A_ROW, Pace, is_failure, is_forgiven, lasts, may_eject, outlier, too_many,
};
pub use load::{Load, Peak};
pub use warm::{RAMP, lets_in};

/// The arm that `random` falls on, each with the probability of its weight over the sum of all.
/// `None` where every weight is 0.
///
/// Any 64 random bits do; the bias is below the sum of weights over 2^64.
#[must_use]
pub fn draw(weights: impl Iterator<Item = u32> + Clone, random: u64) -> Option<usize> {
    let total: u64 = weights.clone().map(u64::from).sum();
    if total == 0 {
        return None;
    }
    // A product of 64 by 64 bits scales `random` to 0..total without the cost of a division.
    let scaled = (u128::from(random) * u128::from(total)) >> 64;
    let mut left = u64::try_from(scaled).unwrap_or(u64::MAX);
    for (arm, weight) in weights.enumerate() {
        let weight = u64::from(weight);
        if left < weight {
            return Some(arm);
        }
        left -= weight;
    }
    None
}

/// Of `count` instances those that `usable` allows, two by chance, and of these the less busy one
/// ([`Load::is_below`]); the first drawn where they are equal. `None` where none is usable.
///
/// Two choices are nearly as even as looking at all of them, and a burst does not fall as one on
/// the instance that was idle a moment ago.
#[must_use]
pub fn pick(
    count: usize,
    usable: impl Fn(usize) -> bool,
    load: impl Fn(usize) -> Load,
    random: u64,
) -> Option<usize> {
    let (low, high) = (random & 0xffff_ffff, random >> 32);
    let among = (0..count).filter(|&i| usable(i)).count();
    let nth = |n: usize| (0..count).filter(|&i| usable(i)).nth(n);
    match among {
        0 => None,
        1 => nth(0),
        _ => {
            let first = scale(low, among);
            // The second is drawn from the others: skipping `first` keeps them equally likely.
            let other = scale(high, among - 1);
            let second = other + usize::from(other >= first);
            let (first, second) = (nth(first)?, nth(second)?);
            Some(if load(second).is_below(load(first)) { second } else { first })
        }
    }
}

/// `bits` (32 of them) scaled to `0..count`.
fn scale(bits: u64, count: usize) -> usize {
    let count = u64::try_from(count).unwrap_or(u64::MAX).min(1 << 31);
    usize::try_from((bits * count) >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests;
