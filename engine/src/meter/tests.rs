use super::{PART_BYTES_MAX, PARTS_MAX, Spread, Tally, Traffic, bucket_of, number_of, part_of};

fn tally(numbers: impl IntoIterator<Item = u64>) -> Tally {
    let mut tally = Tally::default();
    numbers.into_iter().for_each(|number| tally.add(number));
    tally
}

#[test]
fn spreads_add_up() {
    let mut left = Spread::default();
    for number in [4, 2, 9] {
        left.add(number);
    }
    let mut right = Spread::default();
    right.merge(left);
    assert_eq!(right, left);
    right.add(1);
    left.merge(right);
    assert_eq!(left, Spread { count: 7, sum: 31, min: 1, max: 9 });
}

#[test]
fn every_number_has_a_bucket_that_is_near() {
    let numbers =
        (0..40_000).chain((5..32).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]));
    for number in numbers {
        let near = number_of(bucket_of(number));
        assert!(near <= number && number - near <= number / 128, "{number} is kept as {near}");
    }
    assert_eq!(bucket_of(u64::MAX), bucket_of((1 << 32) - 1));
}

#[test]
fn quantiles_are_those_of_the_sorted_list() {
    assert_eq!(tally([]).quantile(500), 0);
    assert_eq!(tally([7]).quantile(999), 7);
    let hundred = tally((1..=100).rev());
    let of = [500, 950, 990, 999].map(|per_mille| hundred.quantile(per_mille));
    assert_eq!(of, [51, 96, 100, 100], "the median of 1..=100 is 50.5, rounded up");
    let mut both = tally([1, 1, 1]);
    both.merge(&tally([60_000]));
    assert_eq!((both.quantile(500), both.quantile(990)), (1, 60_000 / 256 * 256));
}

#[test]
fn traffic_goes_by_the_first_name() {
    assert_eq!(part_of(b"/a/b"), Some(&b"a"[..]));
    assert_eq!((part_of(b"/"), part_of(b"")), (None, None));
    let mut traffic = Traffic::default();
    traffic.add(b"/b/x", 3);
    traffic.add(b"/a", 1);
    traffic.add(b"/b", 5);
    traffic.add(b"/", 100);
    let seen: Vec<_> = traffic.iter().map(|(name, spread)| (name.to_vec(), spread.sum)).collect();
    assert_eq!(seen, [(b"a".to_vec(), 1), (b"b".to_vec(), 8)]);
    let mut sum = Traffic::default();
    sum.merge(&traffic);
    sum.merge(&traffic);
    sum.reset();
    assert!(sum.iter().all(|(_, spread)| spread.count == 0));
    assert_eq!(sum.iter().count(), 2);
}

#[test]
fn parts_are_bounded() {
    let mut traffic = Traffic::default();
    for number in 0..PARTS_MAX + 10 {
        traffic.add(format!("/n{number}/x").as_bytes(), 1);
    }
    assert_eq!(traffic.iter().count(), PARTS_MAX);
}

#[test]
fn parts_are_bounded_in_number_and_length() {
    let mut traffic = Traffic::default();
    for length in [PART_BYTES_MAX, PART_BYTES_MAX + 1] {
        traffic.add(&[b"/", &*vec![b'n'; length]].concat(), 1);
    }
    assert_eq!(traffic.iter().count(), 1, "clients choose the names");
    let mut other = Traffic::default();
    (0..2 * PARTS_MAX).for_each(|at| other.add(format!("/{at:05}").as_bytes(), 1));
    traffic.merge(&other);
    assert_eq!((other.iter().count(), traffic.iter().count()), (PARTS_MAX, PARTS_MAX));
}
