//! What the places cost.

use sterna::{
    backends::Operation,
    measure::Estimate,
    price::{Book, Decimal, Offer, Quote, Stock, Usage, Workload},
    report::Prices,
};

use crate::{
    args::OwnPricesArgs,
    commands::bill::shown,
    exit::{Exit, Failure},
    places::Opener,
    values::Money,
};

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
    pub fn of(opener: &Opener<'_>, own: &OwnPricesArgs, places: &[String]) -> Result<Self, Failure> {
        let (book, today) = (opener.book(own)?, jiff::Zoned::now().date());
        let offers = places.iter().map(|place| opener.offer(&book, place, today)).collect::<Result<_, _>>()?;
        Ok(Self { book, offers })
    }

    /// What measuring place number `place` adds to its bill, at list price and in a month in which nothing else was asked of
    /// it; `None` where nothing is known of its price.
    pub fn once(&self, place: usize, estimate: &Estimate, stock: &Stock) -> Option<Quote> {
        let offer = self.offers.get(place)?.as_ref()?;
        let ops = estimate.requests.iter().map(|(operation, count)| (canonical(*operation).to_owned(), *count));
        let run = Usage { ops: ops.collect(), egress_bytes: estimate.bytes_in, read_bytes: estimate.bytes_in };
        Some(offer.once(&run, &Usage::default(), stock))
    }

    /// That measuring costs no more than `most`, all places together; a place without a price counts as nothing.
    ///
    /// # Errors
    /// `OverBudget`, and wrong usage for a currency the book has no rate of.
    pub fn allows(&self, most: &Money, quotes: &[Option<Quote>]) -> Result<(), Failure> {
        let base = &self.book.fx;
        let no_rate = |currency: &str| Failure::usage(format!("the price book has no rate of {currency}"));
        let limit = base.in_base(most.amount, &most.currency).ok_or_else(|| no_rate(&most.currency))?;
        let mut sum = Decimal::ZERO;
        for quote in quotes.iter().flatten() {
            let amount = base.in_base(quote.total_exact(), &quote.currency);
            sum = sum.saturating_add(amount.ok_or_else(|| no_rate(&quote.currency))?);
        }
        if sum <= limit {
            return Ok(());
        }
        let message = format!(
            "measuring costs up to {} {}, more than --max-cost {} {} allows; nothing was measured",
            shown(sum),
            base.base,
            most.amount,
            most.currency
        );
        Err(Failure::new(Exit::OverBudget, message))
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

/// The price book's word for an operation of a measuring.
const fn canonical(operation: Operation) -> &'static str {
    match operation {
        Operation::List => "list_objects",
        Operation::Put => "put_object",
        Operation::Delete => "delete_object",
        _ => "get_object",
    }
}
