# Puts parts together (`components` and `dependencies` each) into one bill of materials, CycloneDX 1.6.
# --arg kind, name, version and time say of what; every component that nothing else needs is needed by that.
(map(.components) | add) as $components
| (map(.dependencies // []) | add) as $dependencies
| ([$dependencies[].dependsOn[]] | unique) as $needed
| {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
        timestamp: $time,
        component: { type: $kind, "bom-ref": "root", name: $name, version: $version, licenses: [{ expression: "MIT OR Apache-2.0" }] },
    },
    components: $components,
    dependencies: ([{ ref: "root", dependsOn: ([$components[]."bom-ref"] - $needed) }] + $dependencies),
}
