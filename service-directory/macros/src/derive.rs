//! `#[derive(QiValue)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Data, DataEnum, DeriveInput, Error, Fields, GenericParam, Generics, Ident, Member, Result, Type, ext::IdentExt,
    parse_quote,
};

use crate::{attributes::Options, names};

/// The members of the implementation.
struct Members {
    min_size: TokenStream,
    signature: TokenStream,
    encode: TokenStream,
    decode: TokenStream,
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let options = Options::read(&input.attrs, &["crate", "rename", "transparent"])?;
    let sdk = options.sdk();
    let value = quote!(#sdk::value);
    let Members { min_size, signature, encode, decode } = match &input.data {
        Data::Struct(data) if options.has("transparent") => transparent(&input.ident, &data.fields, &options, &value)?,
        Data::Struct(data) => record(&input.ident, &data.fields, &options, &value)?,
        Data::Enum(data) => enumeration(&input.ident, data, &options, &value)?,
        Data::Union(data) => {
            return Err(Error::new(data.union_token.span, "a union does not say which of its fields to send"));
        }
    };
    let ident = &input.ident;
    let generics = bounded(&input.generics, &value);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        #[allow(clippy::all, clippy::pedantic, deprecated, unused_qualifications)]
        impl #impl_generics #value::QiValue for #ident #type_generics #where_clause {
            const MIN_SIZE: usize = #min_size;

            fn signature() -> #value::Signature {
                #signature
            }

            #[inline]
            fn encode(
                &self,
                __encoder: &mut #value::Encoder<'_>,
            ) -> ::core::result::Result<(), #value::CodecError> {
                #encode
            }

            #[inline]
            fn decode(
                __decoder: &mut #value::Decoder<'_>,
            ) -> ::core::result::Result<Self, #value::CodecError> {
                #decode
            }
        }
    })
}

/// A struct is the tuple of its fields, with their names if they have any (spec 3.2).
fn record(ident: &Ident, fields: &Fields, options: &Options, value: &TokenStream) -> Result<Members> {
    let types: Vec<&Type> = fields.iter().map(|field| &field.ty).collect();
    let members: Vec<Member> = fields.members().collect();
    let signatures = quote!([#(<#types as #value::QiValue>::signature()),*]);
    let signature = match fields {
        Fields::Named(_) => {
            let name = match options.text("rename") {
                Some(name) => names::checked(name)?,
                None => ident.unraw().to_string(),
            };
            let names = field_names(fields)?;
            quote!(#value::Signature::named_tuple(#name, &[#(#names),*], #signatures))
        }
        Fields::Unnamed(_) | Fields::Unit => {
            options.refuse("rename", "only structs with named fields have a name on the wire")?;
            for field in fields {
                Options::read(&field.attrs, &["rename"])?
                    .refuse("rename", "the fields of a tuple struct have no names on the wire")?;
            }
            quote!(#value::Signature::tuple(#signatures))
        }
    };
    Ok(Members {
        min_size: quote!(0 #(+ <#types as #value::QiValue>::MIN_SIZE)*),
        signature,
        encode: quote! {
            #(<#types as #value::QiValue>::encode(&self.#members, __encoder)?;)*
            ::core::result::Result::Ok(())
        },
        decode: quote! {
            __decoder.enter()?;
            let __value = Self { #(#members: <#types as #value::QiValue>::decode(__decoder)?),* };
            __decoder.leave();
            ::core::result::Result::Ok(__value)
        },
    })
}

/// A struct that is written as its only field is.
fn transparent(ident: &Ident, fields: &Fields, options: &Options, value: &TokenStream) -> Result<Members> {
    options.refuse("rename", "a transparent struct has no name on the wire")?;
    let mut members = fields.iter().zip(fields.members());
    let (Some((field, member)), None) = (members.next(), members.next()) else {
        return Err(Error::new(ident.span(), "a transparent struct has exactly one field"));
    };
    Options::read(&field.attrs, &[])?;
    let inner = &field.ty;
    Ok(Members {
        min_size: quote!(<#inner as #value::QiValue>::MIN_SIZE),
        signature: quote!(<#inner as #value::QiValue>::signature()),
        encode: quote!(<#inner as #value::QiValue>::encode(&self.#member, __encoder)),
        decode: quote!(::core::result::Result::Ok(Self { #member: <#inner as #value::QiValue>::decode(__decoder)? })),
    })
}

/// An enum without data is its discriminant, as libqi writes enums.
fn enumeration(ident: &Ident, data: &DataEnum, options: &Options, value: &TokenStream) -> Result<Members> {
    options.refuse("rename", "an enum is a number on the wire and has no name there")?;
    options.refuse("transparent", "only structs can be transparent")?;
    if data.variants.is_empty() {
        return Err(Error::new(ident.span(), "an enum without variants has no values to send"));
    }
    let mut variants = Vec::new();
    for variant in &data.variants {
        Options::read(&variant.attrs, &[])?;
        if !matches!(variant.fields, Fields::Unit) {
            let message = "variants with data have no type on the wire; use a struct, or variants without data";
            return Err(Error::new_spanned(&variant.fields, message));
        }
        variants.push(&variant.ident);
    }
    let unknown = format!("{{}} is not a value of {}", ident.unraw());
    Ok(Members {
        min_size: quote!(4),
        signature: quote!(#value::Signature::int32()),
        encode: quote! {
            const { #(::core::assert!(
                #ident::#variants as i128 == #ident::#variants as i32 as i128,
                "the discriminant does not fit 32 bits",
            );)* }
            __encoder.write_i32(match self { #(Self::#variants => #ident::#variants as i32),* });
            ::core::result::Result::Ok(())
        },
        decode: quote! {
            let __discriminant = __decoder.read_i32()?;
            #(if __discriminant == #ident::#variants as i32 {
                return ::core::result::Result::Ok(Self::#variants);
            })*
            ::core::result::Result::Err(#value::CodecError::Custom(::std::format!(#unknown, __discriminant)))
        },
    })
}

fn field_names(fields: &Fields) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for field in fields {
        let options = Options::read(&field.attrs, &["rename"])?;
        match (options.text("rename"), &field.ident) {
            (Some(name), _) => names.push(names::checked(name)?),
            (None, Some(ident)) => names.push(ident.unraw().to_string()),
            (None, None) => {}
        }
    }
    Ok(names)
}

/// Every type parameter is a field's type, or within one.
fn bounded(generics: &Generics, value: &TokenStream) -> Generics {
    let mut generics = generics.clone();
    for parameter in &mut generics.params {
        if let GenericParam::Type(parameter) = parameter {
            parameter.bounds.push(parse_quote!(#value::QiValue));
        }
    }
    generics
}
