use super::*;
use std::net::{Ipv4Addr, Ipv6Addr};

fn name(text: &str) -> Name {
    Name::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn full() -> Message {
    let web = name("web.shop.svc.cluster.local");
    let mut message = Message::answer_to(&Message::query(7, web.clone(), RecordType::Any), Rcode::NoError);
    message.flags.authoritative = true;
    let datas = vec![
        RecordData::A(Ipv4Addr::new(10, 96, 7, 7)),
        RecordData::Aaaa(Ipv6Addr::LOCALHOST),
        RecordData::Cname(name("other.shop.svc.cluster.local")),
        RecordData::Ns(name("ns.dns.cluster.local")),
        RecordData::Ptr(name("a.b")),
        RecordData::Mx {
            preference: 10,
            exchange: name("mail.example.com"),
        },
        RecordData::Srv(Srv {
            priority: 0,
            weight: 50,
            port: 80,
            target: web.clone(),
        }),
        RecordData::Txt(vec![b"1.1.0".to_vec(), b"quote \" me".to_vec()]),
        RecordData::Soa(Soa {
            mname: name("ns.dns.cluster.local"),
            rname: name("hostmaster.cluster.local"),
            serial: 1,
            refresh_seconds: 7200,
            retry_seconds: 1800,
            expire_seconds: 86400,
            minimum_seconds: 30,
        }),
        RecordData::Opaque {
            record_type: RecordType::Other(65280),
            bytes: vec![1, 2, 3],
        },
    ];
    message.answers = datas
        .into_iter()
        .map(|data| Record::new(web.clone(), 30, data))
        .collect();
    message.authorities = message.answers[3..4].to_vec();
    message.additionals = message.answers[..1].to_vec();
    message.edns = Some(Edns {
        udp_payload_bytes: 1232,
        extended_rcode: 0,
        version: 0,
        dnssec_ok: true,
        options: vec![(10, vec![1; 8])],
    });
    message
}

#[test]
fn print_and_parse_are_inverse() {
    let message = full();
    assert_eq!(Message::parse(&message.to_bytes()), Ok(message.clone()));
    let small = message.to_bytes_within(message.to_bytes().len() - 1);
    assert!(small.len() < message.to_bytes().len());
    assert_eq!(Message::parse(&small), Ok(message));
}

#[test]
fn a_message_that_does_not_fit_loses_records_and_says_so() {
    let mut message = Message::query(1, name("many.example.com"), RecordType::A);
    message.answers = (0..100)
        .map(|n| {
            Record::new(
                name("many.example.com"),
                5,
                RecordData::A(Ipv4Addr::new(10, 0, 0, n)),
            )
        })
        .collect();
    let bytes = message.to_bytes_within(UDP_LIMIT_BYTES);
    let parsed = Message::parse(&bytes).expect("what is written can be read");
    assert!(bytes.len() <= UDP_LIMIT_BYTES && parsed.flags.truncated);
    assert!(parsed.answers.len() > 25 && parsed.answers.len() < 100);
}

#[test]
fn a_query_is_the_bytes_that_glibc_sends() {
    let bytes = Message::query(0x1234, name("web.shop"), RecordType::Aaaa).to_bytes();
    assert_eq!(
        bytes,
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03web\x04shop\x00\x00\x1c\x00\x01"
    );
}

#[test]
fn names_compare_without_case_and_print_as_written() {
    assert_eq!(name("WEB.Shop."), name("web.shop"));
    assert_eq!(name("WEB.Shop").to_string(), "WEB.Shop.");
    assert_eq!(name("a\\.b.c").labels().len(), 2);
    assert_eq!(name("a\\.b.c").to_string(), "a\\.b.c.");
    assert!(name("x.cluster.LOCAL").is_within(&name("cluster.local")));
    assert!(!name("xcluster.local").is_within(&name("cluster.local")));
    assert_eq!(Name::parse("a..b"), Err(NotAName::EmptyLabel));
    assert_eq!(Name::parse(&"a".repeat(64)), Err(NotAName::LongLabel));
    assert_eq!(Name::parse(&"abcdefg.".repeat(33)), Err(NotAName::TooLong));
    assert_eq!(Name::parse("a\\"), Err(NotAName::Escape));
}

#[test]
fn pointers_that_do_not_go_back_are_refused() {
    let mut bytes = Message::query(1, Name::root(), RecordType::A).to_bytes();
    bytes.splice(12..13, [0xc0, 12]);
    assert_eq!(Message::parse(&bytes), Err(NotDns::BadName));
}

#[test]
fn hostile_bytes_never_panic() {
    let good = full().to_bytes_within(300);
    // Every prefix, and every byte of the message set to values that mean something.
    for end in 0..good.len() {
        let _ = Message::parse(&good[..end]);
        for value in [0, 1, 63, 64, 0xc0, 0xff] {
            let mut bad = good.clone();
            bad[end] = value;
            if let Ok(message) = Message::parse(&bad) {
                let _ = message.to_bytes();
                let _ = message.to_bytes_within(100);
                let _ = message
                    .answers
                    .iter()
                    .map(ToString::to_string)
                    .collect::<String>();
            }
        }
    }
}
