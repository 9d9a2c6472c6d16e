//! Makes a WebAssembly module smaller once it is compressed: of functions that are alike one stays, and those that are
//! left stand beside the ones that look like them. Nothing else changes; names and other custom sections are left out.
//!
//! The compiler merges functions that are alike before it makes machine code of them; that many more of them come out
//! alike is seen here. Beside its like a function is found by the compressor again, and told in few bits.

use crate::process::Failure;
use std::collections::BTreeMap;
use std::ops::Range;
use wasmparser::{ElementItems, ElementKind, ExternalKind, Operator, Parser, Payload, Result, TypeRef};

/// A function: its type, its code as it was, and the functions it names, each with its place in the code.
struct Function<'m> {
    of_type: u32,
    code: &'m [u8],
    names: Vec<(Range<usize>, u32)>,
}

impl Function<'_> {
    /// The code where each function has another number.
    fn code(&self, number: impl Fn(u32) -> u32) -> Vec<u8> {
        let mut code = Vec::with_capacity(self.code.len());
        let mut from = 0;
        for (place, named) in &self.names {
            code.extend_from_slice(&self.code[from..place.start]);
            put_number(&mut code, number(*named) as usize);
            from = place.end;
        }
        code.extend_from_slice(&self.code[from..]);
        code
    }
}

/// The module, smaller.
pub fn shrunk(wasm: &[u8]) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure(format!("the engine does not read: {error}"));
    let (imported, functions) = functions(wasm).map_err(failed)?;
    let same = same(imported, &functions);
    let mut kept: Vec<usize> = (0..functions.len())
        .filter(|place| same[imported + place] as usize == imported + place)
        .collect();
    kept.sort_by_cached_key(|place| {
        let function = &functions[*place];
        (function.of_type, function.code(|_| 0), *place)
    });
    let kept: Vec<usize> = kept
        .chunk_by(|a, b| functions[*a].of_type == functions[*b].of_type)
        .flat_map(|alike| beside_each_other(alike, &functions))
        .collect();
    let mut numbers: Vec<u32> = (0..same.len() as u32).collect();
    for (number, place) in (imported as u32..).zip(&kept) {
        numbers[imported + place] = number;
    }
    let number = |function: u32| numbers[same[function as usize] as usize];
    let types = kept.iter().map(|place| functions[*place].of_type);
    let codes = kept.iter().map(|place| functions[*place].code(number));
    written(wasm, types.collect(), codes.collect(), number)
        .map_err(failed)?
        .ok_or_else(|| Failure("the engine names functions where that is not looked for".to_owned()))
}

/// How many marks a function has.
const MARKS: usize = 48;

/// Functions in another order: each is followed by the one of those left that has most marks of it.
fn beside_each_other(places: &[usize], functions: &[Function<'_>]) -> Vec<usize> {
    let marked = |place: &usize| (*place, marks(&functions[*place].code(|_| 0)));
    let mut left: Vec<_> = places.iter().map(marked).collect();
    let mut order = Vec::with_capacity(left.len());
    let mut next = 0;
    while !left.is_empty() {
        let (place, marks) = left.remove(next);
        order.push(place);
        let mut most = 0;
        next = 0;
        for (at, (_, others)) in left.iter().enumerate() {
            let same = marks.iter().zip(others).filter(|(a, b)| a == b).count();
            if same > most {
                (next, most) = (at, same);
            }
        }
    }
    order
}

/// Marks of code that like code has too: of all its stretches of four bytes the one that comes first in an order at
/// random, for as many orders. See A. Broder, On the resemblance and containment of documents.
fn marks(code: &[u8]) -> [u32; MARKS] {
    let mut marks = [u32::MAX; MARKS];
    for stretch in code.windows(4) {
        let mut number = stretch
            .iter()
            .fold(0, |number, byte| number << 8 | u32::from(*byte));
        for mark in &mut marks {
            number = (number ^ number >> 15)
                .wrapping_mul(0x9e37_79b1)
                .wrapping_add(0x7f4a_7c15);
            *mark = number.min(*mark);
        }
    }
    marks
}

/// How many functions are imported, and the others.
fn functions(wasm: &[u8]) -> Result<(usize, Vec<Function<'_>>)> {
    let mut imported = 0;
    let (mut types, mut functions) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    imported += usize::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::FunctionSection(section) => types = section.into_iter().collect::<Result<_>>()?,
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                let mut names = Vec::new();
                let mut operators = body.get_operators_reader()?;
                while !operators.eof() {
                    // Behind the operator's one byte.
                    let start = operators.original_position() + 1;
                    if let Operator::Call {
                        function_index: named,
                    }
                    | Operator::ReturnCall {
                        function_index: named,
                    }
                    | Operator::RefFunc {
                        function_index: named,
                    } = operators.read()?
                    {
                        let end = operators.original_position();
                        names.push((start - range.start..end - range.start, named));
                    }
                }
                functions.push(Function {
                    of_type: types[functions.len()],
                    code: &wasm[range],
                    names,
                });
            }
            _ => {}
        }
    }
    Ok((imported, functions))
}

/// For each function the first that does the same: alike once those they call are seen as one, again and again.
fn same(imported: usize, functions: &[Function<'_>]) -> Vec<u32> {
    let mut same: Vec<u32> = (0..(imported + functions.len()) as u32).collect();
    loop {
        let mut first = BTreeMap::new();
        let next: Vec<u32> = (0..imported as u32)
            .chain((imported as u32..).zip(functions).map(|(number, function)| {
                let code = function.code(|named| same[named as usize]);
                *first.entry((function.of_type, code)).or_insert(number)
            }))
            .collect();
        if next == same {
            return same;
        }
        same = next;
    }
}

/// The module with other functions, and each function's new number wherever one is named; nothing if it has parts that
/// could name one and are not known here.
fn written(
    wasm: &[u8],
    types: Vec<u32>,
    codes: Vec<Vec<u8>>,
    number: impl Fn(u32) -> u32,
) -> Result<Option<Vec<u8>>> {
    let mut module = wasm[..8].to_vec();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        let Some((id, range)) = payload.as_section() else {
            continue;
        };
        let mut section = Vec::new();
        match payload {
            Payload::CustomSection(_) => continue,
            Payload::FunctionSection(_) => {
                put_number(&mut section, types.len());
                types
                    .iter()
                    .for_each(|of_type| put_number(&mut section, *of_type as usize));
            }
            Payload::CodeSectionStart { .. } => {
                put_number(&mut section, codes.len());
                for code in &codes {
                    put_number(&mut section, code.len());
                    section.extend_from_slice(code);
                }
            }
            Payload::ExportSection(exports) => {
                put_number(&mut section, exports.count() as usize);
                for export in exports {
                    let export = export?;
                    put_number(&mut section, export.name.len());
                    section.extend_from_slice(export.name.as_bytes());
                    let (kind, index) = match export.kind {
                        ExternalKind::Func => (0, number(export.index)),
                        ExternalKind::Table => (1, export.index),
                        ExternalKind::Memory => (2, export.index),
                        ExternalKind::Global => (3, export.index),
                        _ => return Ok(None),
                    };
                    section.push(kind);
                    put_number(&mut section, index as usize);
                }
            }
            Payload::ElementSection(elements) => {
                put_number(&mut section, elements.count() as usize);
                for element in elements {
                    let element = element?;
                    let (
                        ElementKind::Active {
                            table_index: None,
                            offset_expr,
                        },
                        ElementItems::Functions(items),
                    ) = (element.kind, element.items)
                    else {
                        return Ok(None);
                    };
                    section.push(0);
                    let mut offset = offset_expr.get_binary_reader();
                    section.extend_from_slice(offset.read_bytes(offset.bytes_remaining())?);
                    put_number(&mut section, items.count() as usize);
                    for item in items {
                        put_number(&mut section, number(item?) as usize);
                    }
                }
            }
            Payload::GlobalSection(globals) => {
                section.extend_from_slice(&wasm[range]);
                for global in globals {
                    for operator in global?.init_expr.get_operators_reader() {
                        if let Operator::RefFunc { .. } = operator? {
                            return Ok(None);
                        }
                    }
                }
            }
            Payload::StartSection { func, .. } => put_number(&mut section, number(func) as usize),
            _ => section.extend_from_slice(&wasm[range]),
        }
        module.push(id);
        put_number(&mut module, section.len());
        module.extend_from_slice(&section);
    }
    Ok(Some(module))
}

/// A number as the format has it: seven bits a byte, the low ones first.
fn put_number(bytes: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A section of a module.
    fn section(id: u8, parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        [&[id, body.len() as u8 + 1, parts.len() as u8][..], &body].concat()
    }

    #[test]
    fn of_functions_that_are_alike_one_stays_and_who_names_them_names_it() {
        const CALLS_1: &[u8] = &[4, 0, 0x10, 1, 0x0b];
        const CALLS_2: &[u8] = &[4, 0, 0x10, 2, 0x0b];
        const CALLS_3: &[u8] = &[4, 0, 0x10, 3, 0x0b];
        const NOP: &[u8] = &[3, 0, 1, 0x0b];
        // Number 0 is imported; 1 and 2 are alike, so that 3 and 4 are as well.
        let module = [
            &b"\0asm\x01\0\0\0"[..],
            &section(1, &[&[0x60, 0, 0]]),
            &section(2, &[&[1, b'm', 1, b'f', 0, 0]]),
            &section(3, &[&[0], &[0], &[0], &[0], &[0]]),
            &section(4, &[&[0x70, 0, 2]]),
            &section(7, &[&[1, b'a', 0, 4], &[1, b'b', 0, 5]]),
            &section(9, &[&[0, 0x41, 0, 0x0b, 2, 2, 4]]),
            &section(10, &[NOP, NOP, CALLS_1, CALLS_2, CALLS_3]),
            b"\0\x05\x04name",
        ]
        .concat();
        let expected = [
            &b"\0asm\x01\0\0\0"[..],
            &section(1, &[&[0x60, 0, 0]]),
            &section(2, &[&[1, b'm', 1, b'f', 0, 0]]),
            &section(3, &[&[0], &[0], &[0]]),
            &section(4, &[&[0x70, 0, 2]]),
            &section(7, &[&[1, b'a', 0, 2], &[1, b'b', 0, 3]]),
            &section(9, &[&[0, 0x41, 0, 0x0b, 2, 1, 2]]),
            &section(10, &[NOP, CALLS_1, CALLS_2]),
        ]
        .concat();
        assert_eq!(shrunk(&module).ok(), Some(expected.clone()));
        assert_eq!(shrunk(&expected).ok(), Some(expected));
    }
}
