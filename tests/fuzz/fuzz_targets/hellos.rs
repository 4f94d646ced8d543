//! The first bytes of an election link: the hello does not depend on what follows it, and what
//! decodes is encoded again to bytes that decode to the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use model::peer::address::Address;
use model::peer::hello::Hello;

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some((hello, length))) = Hello::decode(bytes) else { return };
    for end in 0..length {
        assert_eq!(Hello::decode(&bytes[..end]), Ok(None));
    }
    assert_eq!(Hello::decode(&bytes[..length]), Ok(Some((hello.clone(), length))));
    // A host that is no name, such as one of brackets, is printed as it came, and not always read
    // again.
    let is_name = |address: &Address| Address::read(&address.to_string()).as_ref() == Some(address);
    if let Hello::Addressed { addresses, .. } = &hello
        && (addresses.is_empty() || !addresses.iter().all(is_name))
    {
        return;
    }
    let mut again = Vec::new();
    hello.encode(&mut again);
    assert_eq!(Hello::decode(&again), Ok(Some((hello, again.len()))));
});
