//! Numbers with a fraction as text and back, with little code: what the standard library has for it is fast, and of some
//! weight in the engine, where such numbers are rare.

use std::cmp::Ordering;

/// Whole numbers of so many digits are kept exactly.
const EXACT_DIGITS: usize = 15;
/// Powers of ten up to this one are kept exactly.
const EXACT_POWER: i64 = 22;
/// With more digits before the point no number is finite, with more zeros behind it none is anything but 0.
const MOST_DIGITS: i64 = 400;

/// Reads a decimal number as `str::parse` does, rounded to the nearest; `inf` and `nan` are none.
pub fn parse(text: &str) -> Option<f64> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let power = power(exponent)? - i64::try_from(fraction.len()).ok()?;
    digits.drain(..digits.len() - digits.trim_start_matches('0').len());
    let magnitude = magnitude(&digits, power);
    Some(if negative { -magnitude } else { magnitude })
}

/// A power of ten; one that is out of all bounds is as good as any other.
fn power(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let power = digits
        .trim_start_matches('0')
        .bytes()
        .fold(0_i64, |power, digit| {
            power.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
        });
    let power = power.min(i64::from(u32::MAX));
    Some(if negative { -power } else { power })
}

/// The number of digits, the first not 0, times a power of ten.
fn magnitude(digits: &str, power: i64) -> f64 {
    let size = digits.len() as i64 + power;
    if digits.is_empty() || size < -MOST_DIGITS {
        return 0.0;
    }
    if size > MOST_DIGITS {
        return f64::INFINITY;
    }
    if digits.len() <= EXACT_DIGITS && power.abs() <= EXACT_POWER {
        let number = digits
            .bytes()
            .fold(0.0, |sum, digit| sum * 10.0 + f64::from(digit - b'0'));
        let scale = (0..power.abs()).fold(1.0, |scale, _| scale * 10.0);
        return if power < 0 { number / scale } else { number * scale };
    }
    let mut number = Natural(Vec::new());
    for digit in digits.bytes() {
        number.times_and(10, u32::from(digit - b'0'));
    }
    let mut one = Natural(vec![1]);
    for _ in 0..power.abs() {
        if power < 0 { &mut one } else { &mut number }.times_and(10, 0);
    }
    // Numbers are in the order of their bits: the greatest that is not above, and the one after it.
    let (mut below, mut above) = (0_u64, f64::INFINITY.to_bits());
    while above - below > 1 {
        let middle = below + (above - below) / 2;
        let between = f64::from_bits(middle);
        match number.beside_mean(&one, between, between) {
            Ordering::Less => above = middle,
            _ => below = middle,
        }
    }
    let (low, high) = (f64::from_bits(below), f64::from_bits(above));
    match number.beside_mean(&one, low, high) {
        Ordering::Less => low,
        Ordering::Greater => high,
        Ordering::Equal if below % 2 == 0 => low,
        Ordering::Equal => high,
    }
}

/// A whole number of any size: 32 bits an item, the low ones first, the last not 0.
#[derive(Clone)]
struct Natural(Vec<u32>);

impl Natural {
    fn times_and(&mut self, factor: u64, more: u32) {
        let mut carry = u128::from(more);
        for item in &mut self.0 {
            carry += u128::from(*item) * u128::from(factor);
            *item = carry as u32;
            carry >>= 32;
        }
        while carry > 0 {
            self.0.push(carry as u32);
            carry >>= 32;
        }
    }

    fn times_two_to_the(&mut self, power: u32) {
        self.times_and(1 << (power % 32), 0);
        let zeros = vec![0; power as usize / 32];
        self.0.splice(0..0, zeros);
    }

    /// This number beside the mean of two neighbours, or of one number twice, times `one`.
    fn beside_mean(&self, one: &Self, low: f64, high: f64) -> Ordering {
        let ((low, power), (high, upper)) = (parts(low), parts(high));
        let sum = low + (high << (upper - power));
        let (mut this, mut mean) = (self.clone(), one.clone());
        mean.times_and(sum, 0);
        // Half the sum is the mean.
        let power = power - 1;
        if power < 0 { &mut this } else { &mut mean }.times_two_to_the(power.unsigned_abs());
        let (this, mean) = (this.0, mean.0);
        let lengths = this.len().cmp(&mean.len());
        lengths.then_with(|| this.iter().rev().cmp(mean.iter().rev()))
    }
}

/// A number's magnitude as a whole number times a power of two; what is infinite as the one after the last.
fn parts(number: f64) -> (u64, i32) {
    let bits = number.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    match (bits >> 52) as i32 & 0x7ff {
        0 => (fraction, -1074),
        exponent => (fraction | 1 << 52, exponent - 1075),
    }
}

/// A number with so many digits behind the point, as `{:.2}` prints it. Times ten to the power of
/// `digits` its magnitude must be below two to the power of 64.
pub fn fixed(number: f64, digits: u32) -> String {
    let sign = if number.is_sign_negative() { "-" } else { "" };
    let (number, power) = parts(number);
    let scale = 10_u64.pow(digits);
    let number = u128::from(number) * u128::from(scale);
    let shift = power.unsigned_abs();
    let rounded = match power {
        0.. => number.checked_shl(shift).unwrap_or_default(),
        -127.. => {
            let (whole, rest) = (number >> shift, number & ((1 << shift) - 1));
            let half = 1 << (shift - 1);
            whole + u128::from(rest > half || rest == half && whole % 2 == 1)
        }
        _ => 0,
    };
    let rounded = u64::try_from(rounded).unwrap_or(u64::MAX);
    let (whole, fraction) = (rounded / scale, rounded % scale);
    match digits as usize {
        0 => format!("{sign}{whole}"),
        width => format!("{sign}{whole}.{fraction:0width$}"),
    }
}

/// A number from 0 to 1 with as few digits as tell it from all others.
pub fn short(number: f64) -> String {
    let tells = |text: &String| parse(text) == Some(number);
    let text = (0..19).map(|digits| fixed(number, digits)).find(tells);
    text.unwrap_or_else(|| fixed(number, 19))
}

/// A number's text without an exponent: `0.00015` for `1.5e-4`, `2` for `2.0`.
pub fn without_exponent(text: &str) -> String {
    let (sign, text) = text.split_at(usize::from(text.starts_with('-')));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: isize = exponent.parse().unwrap_or_default();
    let point = whole.len() as isize + exponent;
    let zeros = |count: isize| "0".repeat(count.try_into().unwrap_or_default());
    let digits = [whole, fraction].concat();
    let digits = [
        zeros(1 - point),
        digits,
        zeros(point - (whole.len() + fraction.len()) as isize),
    ]
    .concat();
    let (whole, fraction) = digits.split_at(point.max(1) as usize);
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    [sign, whole, dot, fraction].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits that look random.
    fn bits(count: usize) -> impl Iterator<Item = u64> {
        let mut number = 1_u64;
        (0..count).map(move |_| {
            number = number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            number ^ (number >> 29)
        })
    }

    #[test]
    fn it_reads_as_the_standard_library_does() {
        let mut texts: Vec<String> = [
            "",
            "-",
            "+",
            ".",
            "e1",
            "1e",
            "1e+",
            "1.e1",
            ".5",
            "5.",
            "-.5e-3",
            "+1",
            "1_0",
            "1.2.3",
            "1e1e1",
            "0x1",
            "0",
            "-0",
            "0e999999999999999999999",
            "1e999999999999999999999",
            "-1e400",
            "1e-400",
            "1e308",
            "1.8e308",
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
            "5e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "2.2250738585072014e-308",
            "2.225073858507201e-308",
            "9007199254740993",
            "9007199254740992.99999999999999999999",
            "9007199254740993.00000000000000000001",
            "123456789012345678901234567890",
            "0.1",
            "0.3",
            "1e22",
            "1e23",
            "8.5e22",
            "100000000000000008388608",
            "00000000000000000000.000000000000000000000001",
        ]
        .map(str::to_owned)
        .to_vec();
        for bits in bits(2_000) {
            let number = f64::from_bits(bits);
            texts.push(format!("{number:e}"));
            texts.push(format!("{:.3}", (bits >> 40) as f64 / 1000.0));
            texts.push(
                format!("{}.{}e{}", bits >> 20, bits, bits % 700)
                    .replace("e", if bits % 2 == 0 { "e" } else { "e-" }),
            );
        }
        for text in texts.iter().filter(|text| !text.contains('N')) {
            let expected = text.parse::<f64>().ok();
            assert_eq!(
                parse(text).map(f64::to_bits),
                expected.map(f64::to_bits),
                "{text}"
            );
        }
        assert_eq!(parse("inf"), None);
        assert_eq!(parse("NaN"), None);
    }

    #[test]
    fn it_prints_as_the_standard_library_does() {
        for number in [
            0.0,
            0.5,
            1.5,
            2.5,
            0.125,
            0.375,
            0.05,
            0.15,
            0.25,
            0.999,
            0.9999,
            1e-30,
            5e-324,
            12_345_678.9,
        ] {
            for digits in [0, 1, 2, 3, 11] {
                for number in [number, -number] {
                    let expected = format!("{number:.*}", digits as usize);
                    assert_eq!(fixed(number, digits), expected, "{number} {digits}");
                }
            }
        }
        for bits in bits(2_000) {
            let number = (bits >> 11) as f64 / (1_u64 << 53) as f64;
            assert_eq!(fixed(number, 11), format!("{number:.11}"));
            let share = fixed(number, (bits % 15) as u32);
            assert_eq!(
                short(share.parse().unwrap()),
                share.parse::<f64>().unwrap().to_string()
            );
            assert_eq!(fixed(number * 100.0, 0), format!("{:.0}", number * 100.0));
            for number in [f64::from_bits(bits), number, number * 1e6] {
                if number.is_finite() {
                    assert_eq!(without_exponent(&format!("{number:e}")), number.to_string());
                    assert_eq!(without_exponent(&number.to_string()), number.to_string());
                }
            }
        }
        assert_eq!(without_exponent("-2.0"), "-2");
    }
}
