//! What the places cost.

use sterna::{
    price::{Book, Offer, Stock, Workload},
    report::Prices,
};

use crate::{exit::Failure, places::Opener};

/// Objects that one listing request tells, on every store of the book.
const PAGE: u64 = 1000;

/// Listings of everything in a month: one a day, as a mirror does.
const LISTINGS: u64 = 30;

/// The prices that hold today, and what bills each place.
pub struct Bill {
    book: Book,
    offers: Vec<Option<Offer>>,
}

impl Bill {
    /// Of these places.
    pub fn of(opener: &Opener<'_>, places: &[String]) -> Result<Self, Failure> {
        let (book, today) = (Book::shipped(), jiff::Zoned::now().date());
        let offers = places.iter().map(|place| opener.offer(&book, place, today)).collect::<Result<_, _>>()?;
        Ok(Self { book, offers })
    }

    /// What a month of `stock` costs with so many bytes that leave, each object as often as any other, and a listing a day;
    /// `None` where nothing is known of any place's price.
    pub fn prices(&self, stock: Stock, egress: Option<u64>) -> Option<Prices> {
        self.offers.iter().any(Option::is_some).then(|| {
            let (objects, bytes) = (stock.objects(), stock.bytes());
            let egress_bytes = egress.unwrap_or(bytes);
            let read = u128::from(objects) * u128::from(egress_bytes) / u128::from(bytes.max(1));
            let ops = [
                ("get_object".to_owned(), u64::try_from(read).unwrap_or(u64::MAX)),
                ("list_objects".to_owned(), objects.div_ceil(PAGE).max(1) * LISTINGS),
            ];
            let workload = Workload { stock, egress_bytes, ops: ops.into(), buckets: 1, ..Workload::default() };
            Prices::of(&self.book, &self.offers, &workload)
        })
    }
}
