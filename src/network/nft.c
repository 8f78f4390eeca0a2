#include "network/nft.h"

#include "base/log.h"
#include "sys/fs.h"

#include <jansson.h>
#include <nftables/libnftables.h>

/*
 * Rules, with @T for the table. Chains are flushed and filled again in one transaction, so a table that
 * someone damaged, or that an older version made, comes out right and is never seen half done.
 *
 * raw        Ports published on a loopback address only: refused from anywhere but this machine even if
 *            someone switched route_localnet on.
 * ports      Destination NAT. Loopback destinations are left alone: compote-netd listens there, because the
 *            kernel would need route_localnet for it, which opens all of 127.0.0.0/8 to neighbours.
 * postrouting  Outwards, containers of `hidden` bridges go by this machine's address. A redirected connection
 * that leaves by the bridge of the subnet it comes from (`own`) is a container talking to a published port of
 * its own network: without masquerading the answer would take the short way and not be recognised. By address
 * and not by interface: with br_netfilter there is no input interface here. forward    `pairs` holds every
 * bridge paired with itself. Our chain only decides about our bridges and lets everything else pass. Between
 * bridges only published ports; to a bridge from outside only published ports (a redirected connection, not
 *            merely the right port number: an outside host that routes to the container's address directly
 *            gets nowhere); nothing into or out of an internal network.
 */
static const char skeleton[] =
    "add table inet @T\n"
    "add set inet @T bridges { type ifname; }\n"
    "add set inet @T pairs { type ifname . ifname; }\n"
    "add set inet @T own4 { type ipv4_addr . ifname; flags interval; }\n"
    "add set inet @T own6 { type ipv6_addr . ifname; flags interval; }\n"
    "add set inet @T internal { type ifname; }\n"
    "add set inet @T isolated { type ifname; }\n"
    "add set inet @T hidden { type ifname; }\n"
    "add set inet @T loopback { type inet_proto . inet_service; }\n"
    "add map inet @T any4 { type inet_proto . inet_service : ipv4_addr . inet_service; }\n"
    "add map inet @T any6 { type inet_proto . inet_service : ipv6_addr . inet_service; }\n"
    "add map inet @T one4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }\n"
    "add map inet @T one6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }\n"
    "add chain inet @T ports\n"
    "add chain inet @T raw { type filter hook prerouting priority raw; policy accept; }\n"
    "add chain inet @T prerouting { type nat hook prerouting priority dstnat; policy accept; }\n"
    "add chain inet @T output { type nat hook output priority -100; policy accept; }\n"
    "add chain inet @T postrouting { type nat hook postrouting priority srcnat; policy accept; }\n"
    "add chain inet @T forward { type filter hook forward priority filter; policy accept; }\n"
    "flush chain inet @T ports\n"
    "flush chain inet @T raw\n"
    "flush chain inet @T prerouting\n"
    "flush chain inet @T output\n"
    "flush chain inet @T postrouting\n"
    "flush chain inet @T forward\n"
    "add rule inet @T raw iifname != \"lo\" ip daddr 127.0.0.0/8 meta l4proto . th dport @loopback drop\n"
    "add rule inet @T ports ip daddr 127.0.0.0/8 return\n"
    "add rule inet @T ports ip6 daddr ::1 return\n"
    "add rule inet @T ports dnat ip to ip daddr . meta l4proto . th dport map @one4\n"
    "add rule inet @T ports dnat ip6 to ip6 daddr . meta l4proto . th dport map @one6\n"
    "add rule inet @T ports dnat ip to meta l4proto . th dport map @any4\n"
    "add rule inet @T ports dnat ip6 to meta l4proto . th dport map @any6\n"
    "add rule inet @T prerouting fib daddr type local jump ports\n"
    "add rule inet @T output fib daddr type local jump ports\n"
    "add rule inet @T postrouting ct status dnat ip saddr . oifname @own4 masquerade\n"
    "add rule inet @T postrouting ct status dnat ip6 saddr . oifname @own6 masquerade\n"
    "add rule inet @T postrouting iifname @hidden oifname != @bridges masquerade\n"
    "add rule inet @T forward iifname . oifname @pairs accept\n"
    "add rule inet @T forward iifname @internal drop\n"
    "add rule inet @T forward oifname @internal drop\n"
    "add rule inet @T forward ct state established,related accept\n"
    "add rule inet @T forward oifname @bridges ct status dnat accept\n"
    "add rule inet @T forward iifname @isolated oifname @bridges drop\n"
    "add rule inet @T forward oifname @isolated drop\n"
    "add rule inet @T forward iifname != @bridges oifname @bridges drop\n";

char *nft_skeleton(const void *owner, const char *table)
{
    char *text = mem_strdup(owner, "");
    for (const char *p = skeleton; *p;) {
        const char *mark = strstr(p, "@T");
        size_t n = mark ? (size_t)(mark - p) : strlen(p);
        text = mem_append_printf(text, "%.*s%s", (int)n, p, mark ? table : "");
        p += n + (mark ? 2 : 0);
    }
    return text;
}

static int open_library(struct nft *nft, struct error *err)
{
    nft->ctx = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!nft->ctx)
        return error_set(err, ENOMEM, "set up libnftables");
    nft_ctx_buffer_output(nft->ctx);
    nft_ctx_buffer_error(nft->ctx);
    return 0;
}

int nft_open(struct nft *nft, const struct network_context *context, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    int r = fs_mkdir_p(context->run, 0711, err);
    if (r == 0)
        r = fs_lock(mem_printf(tmp, "%s/nft.lock", context->run), false, true, &nft->lock, err);
    if (r < 0)
        return r;
    nft->table = context->table;
    return open_library(nft, err);
}

void nft_close(struct nft *nft)
{
    if (nft->ctx)
        nft_ctx_free(nft->ctx);
    nft->ctx = NULL;
    cleanup_close_fn(&nft->lock);
    nft->lock = -1;
}

/* The first line of what libnftables says, without its file name. */
static int refused(struct nft *nft, const char *what, struct error *err)
{
    const char *text = nft_ctx_get_error_buffer(nft->ctx);
    const char *start = text ? strstr(text, "Error: ") : NULL;
    start = start ? start + strlen("Error: ") : text;
    int n = start ? (int)strcspn(start, "\n") : 0;
    return error_set(err, EIO, "nftables: %s: %.*s", what, n, start ? start : "");
}

int nft_run(struct nft *nft, const char *commands, struct error *err)
{
    if (nft_run_cmd_from_buffer(nft->ctx, commands) != 0) {
        log_debug("nft: %s", commands);
        return refused(nft, "change rules", err);
    }
    return 0;
}

int nft_run_here(const char *commands, struct error *err)
{
    cleanup_nft struct nft nft = NFT_INIT;
    int r = open_library(&nft, err);
    return r < 0 ? r : nft_run(&nft, commands, err);
}

int nft_elements(struct nft *nft, const char *set, struct json_t **ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    nft_ctx_output_set_flags(nft->ctx, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL);
    const char *kind = strpbrk(set, "46") ? "map" : "set";
    int failed =
        nft_run_cmd_from_buffer(nft->ctx, mem_printf(tmp, "list %s inet %s %s\n", kind, nft->table, set));
    nft_ctx_output_set_flags(nft->ctx, 0);
    if (failed) {
        const char *text = nft_ctx_get_error_buffer(nft->ctx);
        return text && strstr(text, "No such file") ? NFT_ABSENT : refused(nft, "list rules", err);
    }
    json_error_t problem;
    json_t *root = json_loads(nft_ctx_get_output_buffer(nft->ctx), 0, &problem);
    json_t *items = json_object_get(root, "nftables");
    json_t *object, *elements = NULL;
    size_t i;
    json_array_foreach (items, i, object) {
        json_t *found = json_object_get(json_object_get(object, kind), "elem");
        if (found)
            elements = json_incref(found);
    }
    bool valid = items != NULL;
    json_decref(root);
    if (!valid)
        return error_set(err, EIO, "nftables: list of '%s' is not understood", set);
    *ret = elements;
    return 0;
}

void nft_elements_free(struct json_t *elements)
{
    json_decref(elements);
}
