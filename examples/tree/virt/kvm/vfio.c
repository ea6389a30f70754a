// SPDX-License-Identifier: MIT
/* The device that ties VFIO groups to a VM, in miniature; there is at most one in a VM. */
#include <linux/kvm_host.h>

#include "vfio.h"

struct kvm_vfio {
	struct list_head file_list;
	struct mutex lock;
};

struct kvm_vfio_file {
	struct list_head node;
	struct file *file;
};

static struct kvm_device_ops kvm_vfio_ops;

static void kvm_vfio_release(struct kvm_device *dev)
{
	struct kvm_vfio *kv = dev->private;
	struct kvm_vfio_file *kvf, *tmp;

	list_for_each_entry_safe(kvf, tmp, &kv->file_list, node) {
		list_del(&kvf->node);
		fput(kvf->file);
		kfree(kvf);
	}

	kfree(kv);
	kfree(dev);
}

static int kvm_vfio_create(struct kvm_device *dev, u32 type)
{
	struct kvm_device *tmp;
	struct kvm_vfio *kv;

	/* A VM gets along with one such device. */
	list_for_each_entry(tmp, &dev->kvm->devices, vm_node)
		if (tmp->ops == &kvm_vfio_ops)
			return -EBUSY;

	kv = kzalloc(sizeof(*kv), GFP_KERNEL_ACCOUNT);
	if (!kv)
		return -ENOMEM;

	INIT_LIST_HEAD(&kv->file_list);
	mutex_init(&kv->lock);
	dev->private = kv;

	return 0;
}

static struct kvm_device_ops kvm_vfio_ops = {
	.name = "kvm-vfio",
	.create = kvm_vfio_create,
	.release = kvm_vfio_release,
};

int kvm_vfio_ops_init(void)
{
	return kvm_register_device_ops(&kvm_vfio_ops, KVM_DEV_TYPE_VFIO);
}
