# Debian's packages in the image, as components of CycloneDX 1.6.
{
    components: [
        $packages | split("\n")[] | select(. != "") | split("\t") as [$name, $version, $architecture, $sum, $sources, $licences]
        | "pkg:deb/debian/\($name)@\($version | @uri)?arch=\($architecture)&distro=trixie" as $purl
        | {
            type: (if $name | startswith("linux-image") then "operating-system" elif $name | startswith("firmware-") then "firmware" else "library" end),
            "bom-ref": $purl, name: $name, version: $version,
            supplier: { name: "Debian" },
            licenses: [($licences | split("|")[] | select(. != "") | { license: { name: . } })],
            hashes: [{ alg: "SHA-256", content: $sum }],
            purl: $purl,
            externalReferences: [$sources | split(";")[] | split(" ") | { type: "source-distribution", url: "https://snapshot.debian.org/package/\(.[0])/\(.[1])/" }],
        }
        | if .licenses == [] then .licenses = [{ license: { name: "as its copyright file says" } }] else . end
    ],
}
