/**
 * The one settings file, otafs.conf(5), that every program and script of an instance reads.
 *
 * A line is "name = value", a comment, or empty. An unknown name, a name given twice, or a value out of its
 * range is an error that names file and line. What is not given has the default in the table of config.c.
 */
#ifndef LIB_CONFIG_H
#define LIB_CONFIG_H

#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"

/** Longest value with its 0; a path of a Unix socket has to fit into 108 bytes besides. */
#define CONFIG_VALUE_MAX 256

struct config {
	/* folders and files */
	char mount[CONFIG_VALUE_MAX];       /**< the full tree, for administrators and ota-gate */
	char www[CONFIG_VALUE_MAX];         /**< the view for web servers */
	char spool[CONFIG_VALUE_MAX];       /**< incoming/ work/ done/ failed/ status */
	char repository[CONFIG_VALUE_MAX];  /**< ostree/ and published/, written by ota-watcher */
	char state[CONFIG_VALUE_MAX];       /**< the SQLite file of otafs */
	char keys[CONFIG_VALUE_MAX];        /**< ota-signd's folder */
	char sign_socket[CONFIG_VALUE_MAX]; /**< Unix socket of ota-signd */
	char gate_socket[CONFIG_VALUE_MAX]; /**< Unix socket of ota-gate, SCGI */
	char fleet[CONFIG_VALUE_MAX];       /**< what the fleet needs, written by otafs for ota-watcher */

	/* who runs what: a user name or a number */
	char user_sign[CONFIG_VALUE_MAX];
	char user_otafs[CONFIG_VALUE_MAX];
	char user_watcher[CONFIG_VALUE_MAX];
	char user_gate[CONFIG_VALUE_MAX];
	char user_www[CONFIG_VALUE_MAX];
	char user_build[CONFIG_VALUE_MAX];     /**< the web server of the build listener */
	char user_admin[CONFIG_VALUE_MAX];     /**< ota-admin-gate */
	char user_admin_web[CONFIG_VALUE_MAX]; /**< the web server of the admin listener */
	char group_admin[CONFIG_VALUE_MAX];    /**< may read and write the full tree */
	int64_t sandbox;                       /**< 0: programs keep what their users may (lib/sandbox.h) */

	/* the device listener; read by the scripts in gateway/ */
	char device_address[CONFIG_VALUE_MAX];     /**< IP address to listen on */
	int64_t device_port;                       /**< TCP port */
	char device_ca[CONFIG_VALUE_MAX];          /**< PEM: CAs whose device certificates are accepted */
	char device_crl[CONFIG_VALUE_MAX];         /**< PEM: what these CAs have revoked; "-": none */
	char server_certificate[CONFIG_VALUE_MAX]; /**< PEM chain */
	char server_key[CONFIG_VALUE_MAX];         /**< PEM */
	char server_ca[CONFIG_VALUE_MAX]; /**< PEM: what clients are given to trust, two CAs during a roll-over
					   */
	char fleet_ca[CONFIG_VALUE_MAX];  /**< PEM: CAs whose devices become known by themselves; "-": none */
	int64_t device_requests_per_minute; /**< of one device, without objects and images; more is 429 */
	int64_t device_connections;         /**< at once, all together */
	int64_t client_seconds;             /**< a client that neither sends nor reads for so long is left */

	/* longest bodies that devices hand in, in KiB; 413 beyond */
	int64_t manifest_kb, ecus_kb, events_kb, system_info_kb, network_kb, config_kb, installed_kb;
	int64_t gate_memory_mb; /**< bodies that ota-gate holds at once; more wait */

	/* certificates that the issuing CA of ota-signd makes */
	int64_t certificate_days;         /**< of a device at most; less if it asks for less */
	int64_t certificate_overlap_days; /**< the old one goes so long after the new one was used first */

	/* the build listener */
	char build_socket[CONFIG_VALUE_MAX];    /**< Unix socket of ota-watcher, SCGI */
	char build_address[CONFIG_VALUE_MAX];   /**< IP address to listen on */
	int64_t build_port;                     /**< TCP port */
	char build_ca[CONFIG_VALUE_MAX];        /**< PEM: CAs whose certificates builders may show */
	char build_passwords[CONFIG_VALUE_MAX]; /**< htpasswd file of the builders */
	char build_owners[CONFIG_VALUE_MAX]; /**< builders who may change roots and trust, by spaces; "-": none
					      */
	char build_refs[CONFIG_VALUE_MAX];   /**< file: which pushed refs become releases by themselves */
	char build_limits[CONFIG_VALUE_MAX]; /**< file: what each builder may push */

	/* the admin listener */
	char admin_socket[CONFIG_VALUE_MAX];    /**< Unix socket of ota-admin-gate, SCGI */
	char admin_address[CONFIG_VALUE_MAX];   /**< IP address to listen on */
	int64_t admin_port;                     /**< TCP port */
	char admin_ca[CONFIG_VALUE_MAX];        /**< PEM: CAs whose certificates administrators may show */
	char admin_passwords[CONFIG_VALUE_MAX]; /**< htpasswd file of the administrators */
	char admin_oidc[CONFIG_VALUE_MAX]; /**< file of mod_auth_openidc's directives (Apache); "-": none */

	/* lifetimes in days */
	int64_t root_days, image_targets_days, director_targets_days, snapshot_days, timestamp_days;

	/* devices */
	int64_t ecu_replacement;    /**< 1: a device may register other ECUs than before; 0: refused */
	int64_t director_size_kb;   /**< sizes of director documents are multiples of it; 0: as they are */
	int64_t document_cache_mb;  /**< documents in memory between the lookup that made them and the read */
	int64_t unresponsive_polls; /**< so many polls without a sign of the open update are told */

	/* the spool, in seconds */
	int64_t spool_quiet_seconds;      /**< a complete drop is taken when nothing moved for so long */
	int64_t spool_incomplete_seconds; /**< an incomplete or damaged one is refused after so long without a
					     change */

	int64_t sign_log_mb; /**< the signer's log, all files together; 0: all are kept */

	/* the store */
	int64_t store_quota_mb;   /**< the repository takes at most so much; 0: no quota */
	int64_t disk_reserve_mb;  /**< nothing is taken in that would leave less free */
	int64_t keep_versions;    /**< of a package for a hardware id, newest; 0: all */
	int64_t gc_seconds;       /**< between garbage collections; 0: none */
	int64_t gc_grace_seconds; /**< what nobody needs any more stays for so long */
	int64_t deltas_mb;        /**< all static deltas together; 0: none are made */
};

/** Fills @config from @path. Returns 0, -EINVAL naming the line, or another -errno. */
int config_read(const char *path, struct config *config, struct err *err);

/** What only a start would find otherwise: users and groups that there are not, users that are the same, paths
 * that are none, sockets whose paths are too long. 0, or the first of it with the setting's name. */
int config_check(const struct config *config, struct err *err);

/** The ids of user @name, a name or a number; a number is its own group unless the user exists. -ENOENT:
 * unknown. */
int config_user(const char *name, uid_t *uid, gid_t *gid, struct err *err);

/** The id of group @name, a name or a number. */
int config_group(const char *name, gid_t *gid, struct err *err);

/**
 * Becomes user @name for good: supplementary groups, group, user; further privilege cannot come back. Does
 * nothing but check when the process already is that user. Anything else is -EPERM with words.
 */
int config_become(const char *name, struct err *err);

#endif
