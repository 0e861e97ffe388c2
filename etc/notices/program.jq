# Out of `cargo metadata`: what is linked into the program, as components of CycloneDX 1.6, and what needs what.
def rows($text): $text | split("\n") | map(select(. != ""));
def licences: gsub("/"; " OR ");

(rows($linked) | map({ (.): true }) | add) as $linked
| (rows($checksums) | map(split(" ") | { "\(.[0]) \(.[1])": .[2] }) | add) as $checksum
| (rows($inside) | map(split("\t") | { place: .[0], name: .[1], version: .[2], licence: .[3], source: .[4] })) as $inside
| def ref: if .source == null then "\(.name)@\(.version)" else "pkg:cargo/\(.name)@\(.version | @uri)" end;
  def inner: "pkg:github/\(.source)@\(.version)#\(.name | @uri)";
  [.packages[] | select($linked["\(.name) \(.version)"])] as $packages
| ($packages | map({ (.id): ref }) | add) as $refs
| ($packages | map({ (.name): ref }) | add) as $named
| {
    components: (
        ($packages | map(
            { type: (if .name == "intercom" then "application" else "library" end), "bom-ref": ref, name, version, licenses: [{ expression: (.license | licences) }] }
            + if .source == null then {} else {
                hashes: [{ alg: "SHA-256", content: $checksum["\(.name) \(.version)"] }],
                purl: ref,
                externalReferences: [{ type: "source-distribution", url: "https://crates.io/api/v1/crates/\(.name)/\(.version)/download" }],
            } end))
        + ($inside | map({
            type: (if .licence == "OFL-1.1" then "data" else "library" end), "bom-ref": inner, name, version,
            licenses: [{ expression: .licence }],
            purl: "pkg:github/\(.source)@\(.version)",
            externalReferences: [{ type: "vcs", url: "https://github.com/\(.source)" }],
        }))
        | sort_by(."bom-ref")
    ),
    dependencies: (
        [.resolve.nodes[] | select($refs[.id])
            | { ref: $refs[.id], dependsOn: [.deps[] | select(any(.dep_kinds[]; .kind == null)) | $refs[.pkg] // empty] }
            | .ref as $ref | .dependsOn += [$inside[] | select($named[if .place == "." then "intercom" else .place end] == $ref) | inner]
            | .dependsOn |= unique]
        | sort_by(.ref)
    ),
}
