//! [`Stock`]: sizes of the objects that are kept, as exactly as a minimum object size asks.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

/// Objects and bytes, by size: exact below [`Stock::LARGE`], where providers round objects up; by the first four binary digits
/// above.
///
/// Bounded: below [`Stock::LARGE`] as many sizes are told apart, above some 350, whatever is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    groups: BTreeMap<u64, Group>,
}

/// Objects that are all of one size, or all large, or of which only the mean is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Group {
    objects: u64,
    bytes: u64,
}

impl Stock {
    /// Objects of this size and above are never rounded up by any offer (no `min_object_bytes` is larger).
    pub const LARGE: u64 = 1 << 20;

    /// `objects` that hold `bytes` together, all taken to be of the mean size.
    #[must_use]
    pub fn even(bytes: u64, objects: u64) -> Self {
        let mut stock = Self::default();
        if bytes > 0 || objects > 0 {
            let mean = bytes.checked_div(objects).unwrap_or(u64::MAX);
            stock.groups.insert(mean, Group { objects, bytes });
        }
        stock
    }

    /// One object more.
    pub fn add(&mut self, size: u64) {
        self.add_many(size, 1);
    }

    /// `objects` of `size` bytes each more.
    pub fn add_many(&mut self, size: u64, objects: u64) {
        let group = self.groups.entry(group_of(size)).or_default();
        group.objects = group.objects.saturating_add(objects);
        group.bytes = group.bytes.saturating_add(size.saturating_mul(objects));
    }

    /// One object more, told apart from others only by the first four binary digits of its size: some 500 groups in all, in
    /// which a minimum object size that is a power of two is met exactly.
    pub fn add_about(&mut self, size: u64) {
        let group = self.groups.entry(first_digits(size)).or_default();
        group.objects = group.objects.saturating_add(1);
        group.bytes = group.bytes.saturating_add(size);
    }

    /// All of `other` more.
    pub fn add_all(&mut self, other: &Self) {
        for (size, more) in &other.groups {
            let group = self.groups.entry(*size).or_default();
            group.objects = group.objects.saturating_add(more.objects);
            group.bytes = group.bytes.saturating_add(more.bytes);
        }
    }

    /// What is left without `other`, which was counted in the same way; no less than nothing.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut left = self.clone();
        for (size, less) in &other.groups {
            if let Some(group) = left.groups.get_mut(size) {
                group.objects = group.objects.saturating_sub(less.objects);
                group.bytes = group.bytes.saturating_sub(less.bytes);
            }
        }
        left
    }

    /// `objects` of `size` bytes each less; no more than there are.
    pub fn take_many(&mut self, size: u64, objects: u64) {
        if let Some(group) = self.groups.get_mut(&group_of(size)) {
            group.objects = group.objects.saturating_sub(objects);
            group.bytes = group.bytes.saturating_sub(size.saturating_mul(objects));
        }
    }

    /// How many objects.
    #[must_use]
    pub fn objects(&self) -> u64 {
        self.groups.values().map(|group| group.objects).fold(0, u64::saturating_add)
    }

    /// How many bytes, as they are.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.groups.values().map(|group| group.bytes).fold(0, u64::saturating_add)
    }

    /// Bytes as they bill: each object at least `min_object`, and `overhead` on top.
    #[must_use]
    pub fn padded(&self, min_object: u64, overhead: u64) -> Decimal {
        let padded = |group: &Group| {
            let objects = Decimal::from(group.objects);
            let floor = objects.saturating_mul(min_object.into());
            Decimal::from(group.bytes).max(floor).saturating_add(objects.saturating_mul(overhead.into()))
        };
        self.groups.values().map(padded).fold(Decimal::ZERO, Decimal::saturating_add)
    }

    /// How the objects go to a store, and come from one: those that `cut` cuts in parts, each counted as long as its group is on
    /// average.
    #[must_use]
    pub fn pieces(&self, cut: &Cut) -> Pieces {
        let mut pieces = Pieces::default();
        for group in self.groups.values().filter(|group| group.objects > 0) {
            let mean = group.bytes / group.objects;
            if mean <= cut.above {
                pieces.whole = pieces.whole.saturating_add(group.objects);
            } else {
                let parts = mean.div_ceil(cut.part.max(1)).min(Cut::MOST_PARTS);
                pieces.cut = pieces.cut.saturating_add(group.objects);
                pieces.parts = pieces.parts.saturating_add(group.objects.saturating_mul(parts));
            }
        }
        pieces
    }

    /// How many objects have at least `size` bytes.
    #[must_use]
    pub fn objects_from(&self, size: u64) -> u64 {
        let large = |group: &&Group| u128::from(group.bytes) >= u128::from(group.objects) * u128::from(size);
        self.groups.values().filter(large).map(|group| group.objects).fold(0, u64::saturating_add)
    }
}

/// Which objects go in parts, and how large those are. Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Larger objects go in parts.
    pub above: u64,
    /// A part; larger ones where that would be more than [`Cut::MOST_PARTS`].
    pub part: u64,
}

impl Cut {
    /// Parts of an object at most, on S3, B2 and whatever speaks like them.
    pub const MOST_PARTS: u64 = 10_000;
}

/// Objects as they travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pieces {
    /// Objects that go in one request.
    pub whole: u64,
    /// Objects that go in parts.
    pub cut: u64,
    /// Their parts.
    pub parts: u64,
}

/// What a size is told apart from others by.
fn group_of(size: u64) -> u64 {
    if size < Stock::LARGE { size } else { first_digits(size) }
}

/// A size with nothing but its first four binary digits.
fn first_digits(size: u64) -> u64 {
    let low = (u64::BITS - size.leading_zeros()).saturating_sub(4);
    size >> low << low
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn large_objects_go_in_parts() {
        let cut = Cut { above: 16 << 20, part: 8 << 20 };
        let mut stock = Stock::even(100 << 20, 100);
        assert_eq!(stock.pieces(&cut), Pieces { whole: 100, cut: 0, parts: 0 });
        stock.add_many(20 << 20, 3);
        stock.add(16 << 20);
        stock.add(1 << 50);
        assert_eq!(stock.pieces(&cut), Pieces { whole: 101, cut: 4, parts: 3 * 3 + 10_000 });
        assert_eq!(Stock::default().pieces(&cut), Pieces::default());
    }

    proptest! {
        /// A minimum object size that is a power of two bills the same, whichever way sizes are told apart.
        #[test]
        fn rough_sizes_bill_as_exact_ones(sizes in prop::collection::vec(0_u64..1 << 22, 0..50), power in 0_u32..=20, taken in 0_usize..50) {
            let (mut exact, mut about, mut gone, mut left) = Default::default();
            let stock = |stock: &mut Stock, size| stock.add_about(size);
            for (at, size) in sizes.iter().enumerate() {
                Stock::add(&mut exact, *size);
                stock(&mut about, *size);
                stock(if at < taken { &mut gone } else { &mut left }, *size);
            }
            prop_assert_eq!(exact.padded(1 << power, 5), about.padded(1 << power, 5));
            prop_assert_eq!((exact.objects(), exact.bytes()), (about.objects(), about.bytes()));
            let rest = about.without(&gone);
            prop_assert_eq!((rest.objects(), rest.bytes()), (left.objects(), left.bytes()));
            gone.add_all(&left);
            prop_assert_eq!(gone, about);
        }
    }
}
