/*
 * The physical limit that the fabric is measured against: the same graph of namespaces, bridges and veth pairs,
 * made by the shortest way that C and raw rtnetlink know.
 *
 *   kernel_limit NAMESPACES HUB:LEAF...
 *
 * Makes NAMESPACES namespaces, a bridge with an address in every HUB, and for every HUB:LEAF a veth pair from
 * that bridge to the leaf, created in place with one queue; every leaf gets an address and a default route.
 * One netlink send per hub for its links and one per namespace for its configuration, one ACK each.
 * Prints {"milliseconds": ...}: from before the first namespace to after the last answer. Needs uid 0 of a user
 * namespace or of the host; leaves nothing.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { UPLINK = 2, BRIDGE = 3, FIRST_PORT = 16, MAX_NAMESPACES = 4096, BATCH = 64 * 1024 };

struct cable { int hub, leaf; };
struct namespace { int fd, route, hub; };

static struct namespace namespaces[MAX_NAMESPACES];
static char batch[BATCH + 4096];
static size_t filled;
static struct nlmsghdr *message;

static void die(const char *what)
{
	fprintf(stderr, "kernel_limit: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *append(size_t size)
{
	void *at = batch + filled;

	memset(at, 0, NLMSG_ALIGN(size));
	filled += NLMSG_ALIGN(size);
	if (message)
		message->nlmsg_len = batch + filled - (char *)message;
	return at;
}

static void *request(int type, int flags, size_t body)
{
	message = NULL;
	message = append(NLMSG_HDRLEN);
	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	return append(body);
}

static struct rtattr *attribute(int type, const void *data, size_t size)
{
	struct rtattr *at = append(RTA_LENGTH(size));

	at->rta_type = type;
	at->rta_len = RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(at), data, size);
	return at;
}

static void close_nest(struct rtattr *nest)
{
	nest->rta_len = batch + filled - (char *)nest;
}

static void number(int type, unsigned value)
{
	attribute(type, &value, sizeof value);
}

static void one_queue(void)
{
	number(IFLA_NUM_TX_QUEUES, 1);
	number(IFLA_NUM_RX_QUEUES, 1);
}

/* The answers are there when send returns: errors always, a success only for the last message. */
static void flush(int route)
{
	char answer[8192];

	if (!filled)
		return;
	message->nlmsg_flags |= NLM_F_ACK;
	if (send(route, batch, filled, 0) != (ssize_t)filled)
		die("send");
	if (recv(route, answer, sizeof answer, 0) < 0)
		die("recv");
	struct nlmsgerr *error = NLMSG_DATA((struct nlmsghdr *)answer);
	if (error->error) {
		errno = -error->error;
		die("netlink");
	}
	filled = 0;
	message = NULL;
}

static void create(struct namespace *made)
{
	int setting, one = 1;

	if (unshare(CLONE_NEWNET))
		die("unshare");
	made->fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	made->route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (made->fd < 0 || made->route < 0)
		die("namespace");
	setsockopt(made->route, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
	setting = open("/proc/sys/net/ipv6/conf/all/disable_ipv6", O_WRONLY | O_CLOEXEC);
	if (setting >= 0 && write(setting, "1", 1) != 1)
		die("disable_ipv6");
	if (setting >= 0)
		close(setting);
}

static void bridge(void)
{
	struct ifinfomsg *link = request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof *link);

	*link = (struct ifinfomsg){.ifi_index = BRIDGE, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	attribute(IFLA_IFNAME, "bridge", sizeof "bridge");
	struct rtattr *info = attribute(IFLA_LINKINFO | NLA_F_NESTED, NULL, 0);
	attribute(IFLA_INFO_KIND, "bridge", strlen("bridge"));
	close_nest(info);
}

static void veth(int port, int leaf_fd)
{
	char name[IFNAMSIZ];
	struct ifinfomsg *link = request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof *link);
	struct ifinfomsg far = {.ifi_index = UPLINK};

	*link = (struct ifinfomsg){.ifi_index = port, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	snprintf(name, sizeof name, "port%d", port);
	attribute(IFLA_IFNAME, name, strlen(name) + 1);
	number(IFLA_MASTER, BRIDGE);
	one_queue();
	struct rtattr *info = attribute(IFLA_LINKINFO | NLA_F_NESTED, NULL, 0);
	attribute(IFLA_INFO_KIND, "veth", strlen("veth"));
	struct rtattr *data = attribute(IFLA_INFO_DATA | NLA_F_NESTED, NULL, 0);
	struct rtattr *peer = attribute(VETH_INFO_PEER | NLA_F_NESTED, &far, sizeof far);
	attribute(IFLA_IFNAME, "eth0", sizeof "eth0");
	number(IFLA_NET_NS_FD, leaf_fd);
	one_queue();
	close_nest(peer);
	close_nest(data);
	close_nest(info);
}

static void up(int index)
{
	struct ifinfomsg *link = request(RTM_NEWLINK, 0, sizeof *link);

	*link = (struct ifinfomsg){.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
}

static void address(int index, unsigned value)
{
	struct ifaddrmsg *body = request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof *body);

	*body = (struct ifaddrmsg){.ifa_family = AF_INET, .ifa_prefixlen = 20, .ifa_index = index};
	number(IFA_LOCAL, htonl(value));
	number(IFA_ADDRESS, htonl(value));
}

static void default_route(unsigned gateway)
{
	struct rtmsg *route = request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof *route);

	*route = (struct rtmsg){.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN,
				.rtm_protocol = RTPROT_STATIC, .rtm_type = RTN_UNICAST};
	number(RTA_GATEWAY, htonl(gateway));
}

/* Every hub has a /20 of its own below 10.0.0.0/8: .1 is the hub, leaves follow in the order of cables. */
static unsigned segment(int hub)
{
	return 0x0a000000u + ((unsigned)hub << 12);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void plug(int hub, const struct cable *graph, int cables)
{
	bridge();
	for (int i = 0; i < cables; i++) {
		if (graph[i].hub != hub)
			continue;
		veth(FIRST_PORT + i, namespaces[graph[i].leaf].fd);
		if (filled > BATCH)
			flush(namespaces[hub].route);
	}
	flush(namespaces[hub].route);
}

static void configure(int number, const struct cable *graph, int cables)
{
	up(1);
	if (namespaces[number].hub)
		address(BRIDGE, segment(number) + 1);
	for (int i = 0; i < cables; i++) {
		if (graph[i].leaf != number)
			continue;
		up(UPLINK);
		address(UPLINK, segment(graph[i].hub) + 2 + i);
		default_route(segment(graph[i].hub) + 1);
	}
	flush(namespaces[number].route);
}

static int parse(int argc, char **argv, struct cable *graph)
{
	int count = argc > 1 ? atoi(argv[1]) : 0;

	if (count < 1 || count > MAX_NAMESPACES)
		return 0;
	for (int i = 2; i < argc; i++) {
		struct cable *cable = &graph[i - 2];

		if (sscanf(argv[i], "%d:%d", &cable->hub, &cable->leaf) != 2)
			return 0;
		if (cable->hub < 0 || cable->hub >= count || cable->leaf < 0 || cable->leaf >= count)
			return 0;
		namespaces[cable->hub].hub = 1;
	}
	return count;
}

int main(int argc, char **argv)
{
	struct rlimit files;
	struct cable *graph = calloc(argc, sizeof *graph);
	int count = parse(argc, argv, graph), cables = argc - 2;

	if (!count) {
		fprintf(stderr, "usage: kernel_limit NAMESPACES HUB:LEAF...\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);

	double start = now();
	for (int i = 0; i < count; i++)
		create(&namespaces[i]);
	for (int i = 0; i < count; i++)
		if (namespaces[i].hub)
			plug(i, graph, cables);
	for (int i = 0; i < count; i++)
		configure(i, graph, cables);
	printf("{\"milliseconds\": %.3f}\n", now() - start);
	return 0;
}
