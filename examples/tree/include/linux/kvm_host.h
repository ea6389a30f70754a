/* SPDX-License-Identifier: MIT */
/* A small stand-in for the kernel's header: the names are real, the rest is cut to what the example needs. */
#ifndef __KVM_HOST_H
#define __KVM_HOST_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/rculist.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/types.h>

struct kvm_device;
struct kvm_device_attr;

struct kvm {
	struct mm_struct *mm;
	struct mutex lock;
	struct list_head vm_list;
	struct list_head devices;
	refcount_t users_count;
	bool vm_dead;
};

struct kvm_device {
	const struct kvm_device_ops *ops;
	struct kvm *kvm;
	void *private;
	struct list_head vm_node;
};

/*
 * create is called with kvm->lock held; init, if given, without it.
 * An end of life is either release, when the last file of the device is closed,
 * or destroy, when its VM goes.  The one that a device has also frees it.
 */
struct kvm_device_ops {
	const char *name;

	int (*create)(struct kvm_device *dev, u32 type);
	void (*init)(struct kvm_device *dev);
	void (*destroy)(struct kvm_device *dev);
	void (*release)(struct kvm_device *dev);
	int (*set_attr)(struct kvm_device *dev, struct kvm_device_attr *attr);
};

extern struct kvm_device_ops kvm_arm_vgic_its_ops;

void kvm_get_kvm(struct kvm *kvm);
void kvm_put_kvm(struct kvm *kvm);
void kvm_put_kvm_no_destroy(struct kvm *kvm);
int kvm_register_device_ops(const struct kvm_device_ops *ops, u32 type);
void kvm_unregister_device_ops(u32 type);
int kvm_vfio_ops_init(void);

#endif
